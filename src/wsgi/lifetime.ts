/** An application that has processes or files to close before its server ends. */
export interface Closable {
  close(): Promise<void>
}

const open = new Set<Closable>()

/** Registers an application for {@link closeApplications}. @returns removes it again */
export function closeWithServer(closable: Closable): () => void {
  open.add(closable)
  return () => {
    open.delete(closable)
  }
}

/**
 * Closes all registered applications, before the process of a server ends.
 *
 * @param graceMs the longest time to wait, in milliseconds
 * @returns resolves when they are closed, or after `graceMs`
 */
export async function closeApplications(graceMs: number): Promise<void> {
  if (open.size === 0) return
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, graceMs)
  })
  await Promise.race([Promise.allSettled([...open].map((closable) => closable.close())), late])
  clearTimeout(timer)
}

/**
 * Something that has processes or files of its own and wants to be closed before its server ends.
 */
export interface Closable {
  close(): Promise<void>
}

const open = new Set<Closable>()

/** Has {@link closeApplications} close it too. @returns a function that forgets it again */
export function closeWithServer(closable: Closable): () => void {
  open.add(closable)
  return () => {
    open.delete(closable)
  }
}

/**
 * Closes all that was registered and is still open, for a process whose server ends; resolves when
 * they are closed, or after `graceMs`.
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

import { stat } from 'node:fs/promises'

/**
 * Notices that files have changed, by looking at them. Watches of the system would miss some ways
 * in which certificates are replaced: the swapped links of certbot and Kubernetes, and file systems
 * of other machines.
 */
export class WatchedFiles {
  readonly #paths: readonly string[]

  constructor(paths: readonly string[]) {
    this.#paths = [...new Set(paths)]
  }

  /**
   * What the files are at this moment: two texts are equal if no file was written, replaced, or
   * reached through other links meanwhile.
   */
  async look(): Promise<string> {
    return (await Promise.all(this.#paths.map(look))).join()
  }
}

async function look(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown'
  }
}

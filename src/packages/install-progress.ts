import { coded } from '../messages/coded.ts'
import { printable } from '../process/printable.ts'
import type { InstallNotice } from './install-job.ts'

/**
 * Shows the progress of an installation: on a terminal in one line that is overwritten, elsewhere
 * with a line for each download.
 */
export class InstallProgress {
  readonly #write: (text: string) => void
  readonly #columns: number | null
  readonly #quiet: boolean
  readonly #now: () => number
  #shown = ''
  #shownAt = 0

  /**
   * @param write to standard error
   * @param columns the width of the terminal; null if the output is not a terminal
   * @param quiet show warnings only
   */
  constructor(
    write: (text: string) => void,
    columns: number | null,
    quiet: boolean,
    now = () => performance.now(),
  ) {
    this.#write = write
    this.#columns = columns
    this.#quiet = quiet
    this.#now = now
  }

  take(notice: InstallNotice): void {
    switch (notice.kind) {
      case 'warning':
        return this.#line(`monoceros: warning: ${coded('MONO7109', notice.text)}`)
      case 'said':
        return this.#line(notice.text)
      case 'step':
        return this.#status(`${notice.text} …`, true)
      case 'installing':
        return this.#status(
          `Installing ${notice.name} (${notice.number} of ${notice.total}) …`,
          true,
        )
      case 'cached':
        if (!this.#quiet && !notice.name.endsWith('.metadata'))
          this.#line(`${oneLine(notice.name)} (from the cache)`)
        return
      case 'download':
        return this.#download(notice)
    }
  }

  #download({ name, received, total, done }: Extract<InstallNotice, { kind: 'download' }>): void {
    if (!done) {
      const part = total === null ? size(received) : `${size(received)} of ${size(total)}`
      return this.#status(`${name}: ${part}`, false)
    }
    // The metadata of a wheel, in a file of its own, is not a package.
    if (!this.#quiet && !name.endsWith('.metadata'))
      this.#line(`${oneLine(name)} (${size(received)})`)
  }

  /** A line that stays. */
  #line(text: string): void {
    this.clear()
    this.#write(`${printable(text)}\n`)
  }

  #status(text: string, now: boolean): void {
    if (this.#columns === null || this.#quiet) return
    // At most ten times a second.
    if (!now && this.#now() - this.#shownAt < 100) return
    const line = printable(text).replaceAll('\n', ' ')
    const cut = line.length < this.#columns ? line : `${line.slice(0, this.#columns - 2)}…`
    this.#write(`\r${cut}${' '.repeat(Math.max(0, this.#shown.length - cut.length))}`)
    this.#shown = cut
    this.#shownAt = this.#now()
  }

  /** Removes the line that is overwritten. */
  clear(): void {
    if (this.#shown === '') return
    this.#write(`\r${' '.repeat(this.#shown.length)}\r`)
    this.#shown = ''
  }
}

/** The index chooses file names, so one could look like one of our messages. */
function oneLine(name: string): string {
  return name.replaceAll('\n', '?')
}

/** `103 kB`, `8.1 MB` */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

const BEGIN = 'Traceback (most recent call last):'
/** What `faulthandler` prints when a signal ends the process, and the heads of its parts. */
const FATAL = 'Fatal Python error: '
const PARTS = ['Thread 0x', 'Current thread 0x']
/** Between an exception and the one that it led to, each after an empty line. */
const JOINTS = ['During handling of the above exception', 'The above exception was the direct']
/** Of how many processes the state is kept; the one that has printed least recently goes first. */
const PROCESSES_KEPT = 256
/** How long before a traceback the line may be that says what it is about, in milliseconds. */
const HEADING_MS = 1000

interface Printed<Entry> {
  /** The last line outside of tracebacks; within one, the joint just printed. */
  heading: string
  at: number
  /** The traceback that goes on; null outside of tracebacks. */
  entry: Entry | null
  /** The exception's own line was there: what follows belongs to it only if indented or a joint. */
  ended: boolean
  emptyLines: number
}

/**
 * Finds Python's tracebacks among the lines that processes print, with the line before, which says
 * what they are about (`ERROR in app: Exception on /pay [POST]`).
 *
 * An exception whose message has several lines loses those that are not indented.
 */
export class TracebackFinder<Entry> {
  readonly #begin: (text: string, pid: number) => Entry
  readonly #append: (entry: Entry, line: string) => void
  readonly #processes = new Map<number, Printed<Entry>>()

  /**
   * @param begin called with the first lines of each traceback
   * @param append called with each further line, and with what `begin` returned
   */
  constructor(
    begin: (text: string, pid: number) => Entry,
    append: (entry: Entry, line: string) => void,
  ) {
    this.#begin = begin
    this.#append = append
  }

  /** Takes the next line of a process. */
  line(line: string, pid: number): void {
    const printed = this.#of(pid)
    if (this.#continues(printed, line)) return
    printed.entry = null
    const now = Date.now()
    const isFatal = line.startsWith(FATAL)
    if (isFatal || line.includes(BEGIN)) {
      const isHeaded = printed.heading !== '' && now - printed.at < HEADING_MS
      printed.entry = this.#begin(isHeaded ? `${printed.heading}\n${line}` : line, pid)
      // The lines of a group of exceptions are all indented, and a fatal error has no last line.
      printed.ended = isFatal || line.startsWith(' ')
      printed.emptyLines = 0
      printed.heading = ''
      return
    }
    // A heading is one line; more of it would only be kept for nothing.
    printed.heading = line.slice(0, 1024)
    printed.at = now
  }

  #continues(printed: Printed<Entry>, line: string): boolean {
    const { entry, ended } = printed
    if (entry === null) return false
    if (line === '') {
      printed.emptyLines++
      return true
    }
    const isJoint = JOINTS.some((joint) => line.startsWith(joint))
    const isCausedBy = ended && line === BEGIN && printed.heading !== ''
    const isPart = line.startsWith(' ') || PARTS.some((part) => line.startsWith(part))
    if (ended && !isPart && !isJoint && !isCausedBy) return false
    for (; printed.emptyLines > 0; printed.emptyLines--) this.#append(entry, '')
    this.#append(entry, line)
    printed.ended = (ended || !isPart) && !isCausedBy
    printed.heading = isJoint ? line : ''
    return true
  }

  #of(pid: number): Printed<Entry> {
    const known = this.#processes.get(pid)
    const printed = known ?? { heading: '', at: 0, entry: null, ended: false, emptyLines: 0 }
    // The newest is last, so that the first is the one to drop.
    this.#processes.delete(pid)
    this.#processes.set(pid, printed)
    if (this.#processes.size > PROCESSES_KEPT)
      this.#processes.delete(this.#processes.keys().next().value!)
    return printed
  }
}

/** What the processes of Monoceros need of the runtime that they run on. */
import { type Coded, CodedError, coded } from '../messages/coded.ts'

/**
 * Something was started on Bun or Deno that needs Node.js. The `code` is `needs-node`; the message
 * is one line that says what to do.
 */
export class NeedsNodeError extends CodedError {
  readonly code = 'needs-node'

  constructor(message: Coded) {
    super(message)
    this.name = 'NeedsNodeError'
  }
}

/**
 * The runtime, if it is not Node.js but acts like it: `Bun 1.4.5`, `Deno 2.9.6`. Null on Node.js.
 *
 * @param versions `process.versions`, in which such a runtime names itself
 */
export function otherRuntime(
  versions: Readonly<Record<string, string | undefined>> = process.versions,
): string | null {
  if (versions.bun !== undefined) return `Bun ${versions.bun}`
  if (versions.deno !== undefined) return `Deno ${versions.deno}`
  return null
}

/**
 * Does nothing on Node.js.
 *
 * @param what begins the message: `makeServer`, `The command monoceros`
 * @param instead what to do, a sentence
 * @throws NeedsNodeError on Bun and Deno
 */
export function insistOnNode(
  what: string,
  instead: string,
  versions?: Readonly<Record<string, string | undefined>>,
): void {
  const runtime = otherRuntime(versions)
  if (runtime === null) return
  throw new NeedsNodeError(
    coded(
      'MONO1009',
      `${what} needs Node.js, because its HTTP engine uses sockets in a way that ${runtime} does ` +
        `not offer. ${instead}`,
    ),
  )
}

/** Something was started on Windows that needs another system. The `code` is `needs-unix`. */
export class NeedsUnixError extends CodedError {
  readonly code = 'needs-unix'
}

/**
 * Does nothing on Linux and macOS. On Windows, the package can be installed for its middleware and
 * adapters, but its processes need unix sockets and signals.
 *
 * @param what begins the message
 * @throws NeedsUnixError on Windows
 */
export function insistOnUnix(what: string, platform: string = process.platform): void {
  if (platform !== 'win32') return
  throw new NeedsUnixError(
    coded(
      'MONO1010',
      `${what} does not run on Windows. Use the Windows Subsystem for Linux (WSL), or Docker.`,
    ),
  )
}

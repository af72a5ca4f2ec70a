/** What the payloads of frames mean; the form of each is in `docs/reference/frames.md`. */
import type { Span } from '../../bytes/span.ts'
import type { FileReference } from '../runtime.ts'
import { FrameError, PROTOCOL_VERSION, readU32 } from './frames.ts'

/** What a worker reports of itself in READY. */
export interface ReadyPayload {
  readonly pid: number
  /** Its version, as in `3.11.7`. */
  readonly pythonVersion: string
  readonly implementation: string
  /** The application may run greenlets, whose stacks no signal shows. */
  readonly greenlets: boolean
  /** The paths of the modules that are loaded. */
  readonly files: readonly string[]
}

export function readText({ bytes, start, end }: Span): string {
  return bytes.toString('utf8', start, end)
}

/** @throws FrameError unless the payload is one number */
export function readNumber(payload: Span, frame: string): number {
  if (payload.length !== 4) throw new FrameError(`a ${frame} that is not four bytes`)
  return readU32(payload.bytes, payload.start)
}

/** Both in bytes. @throws FrameError */
export function readOffer(payload: Span): { bytes: number; held: number } {
  if (payload.length !== 8) throw new FrameError('an OFFER that is not eight bytes')
  const bytes = readU32(payload.bytes, payload.start)
  if (bytes === 0) throw new FrameError('an OFFER of nothing')
  return { bytes, held: readU32(payload.bytes, payload.start + 4) }
}

/** @throws FrameError if the payload is not a list of streams */
export function readStreams({ bytes, start, end }: Span): number[] {
  if ((end - start) % 4 !== 0) throw new FrameError('a RETURNED that is not a list of streams')
  const streams: number[] = []
  for (let at = start; at < end; at += 4) streams.push(readU32(bytes, at))
  return streams
}

/** @throws FrameError */
export function readReady(payload: Span): ReadyPayload {
  const { protocol, pid, python, implementation, greenlets, files } = readObject(payload)
  if (protocol !== PROTOCOL_VERSION)
    throw new FrameError(`a READY with protocol ${protocol} instead of ${PROTOCOL_VERSION}`)
  if (typeof pid !== 'number' || typeof python !== 'string' || typeof implementation !== 'string')
    throw new FrameError('a READY without pid, python or implementation')
  return {
    pid,
    pythonVersion: python,
    implementation,
    greenlets: greenlets === true,
    files: paths(files),
  }
}

/** @throws FrameError */
export function readFiles(payload: Span): readonly string[] {
  return paths(readObject(payload).files)
}

function paths(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return []
  return value.filter((path): path is string => typeof path === 'string')
}

/** The number of the process that was forked. @throws FrameError */
export function readForked(payload: Span): number {
  const { pid } = readObject(payload)
  if (!Number.isSafeInteger(pid) || (pid as number) < 1)
    throw new FrameError('a FORKED without pid')
  return pid as number
}

/** How a forked worker ended; both are null if that is not known. @throws FrameError */
export function readEnded(payload: Span): { status: number | null; signal: number | null } {
  const { status = null, signal = null } = readObject(payload)
  for (const value of [status, signal])
    if (value !== null && !Number.isSafeInteger(value))
      throw new FrameError('an ENDED whose status or signal is not a number')
  return { status, signal } as { status: number | null; signal: number | null }
}

/** @throws FrameError */
export function readViolation(payload: Span): { rule: string; text: string } {
  const { rule, text } = readObject(payload)
  if (typeof rule !== 'string' || typeof text !== 'string')
    throw new FrameError('a VIOLATION without rule or text')
  return { rule, text }
}

/** What a worker answers to INSPECT. @throws FrameError */
export function readFindings(payload: Span): Record<string, unknown> {
  return readObject(payload)
}

/** @throws FrameError */
export function readFileReference(payload: Span): FileReference {
  const { path, device, inode, offset, length } = readObject(payload)
  const numbers = [device, inode, offset, length]
  if (
    typeof path !== 'string' ||
    // Inode numbers may be over 2^53; rounded, they still equal what node's stat() rounds.
    !numbers.every((number) => Number.isInteger(number) && (number as number) >= 0) ||
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(length)
  ) {
    throw new FrameError('a FILE that does not name a part of a file')
  }
  return { path, device, inode, offset, length } as FileReference
}

/** An object in JSON; without properties if the payload is another JSON value. */
function readObject(payload: Span): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(readText(payload))
  } catch {
    throw new FrameError('a payload that is not JSON')
  }
  return (value ?? {}) as Record<string, unknown>
}

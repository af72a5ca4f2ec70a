/**
 * What a worker's thread runs: an interpreter, and `monoceros.embedded` in it, until the acceptor
 * says STOP.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { PyodideAPI } from 'pyodide'
import { encodeFrame, LOG } from '../workers/frames.ts'
import { describeFailure } from './failure.ts'
import type { HostFiles } from './files/host-files.ts'
import { hostFilesOf, startInterpreter } from './interpreter.ts'
import { FileLocks } from './locks/file-locks.ts'
import { mebibytes, memoryLimitText, WEBASSEMBLY_MOST } from './memory-limit.ts'
import { pythonFolder } from './package.ts'
import {
  MOST_UNTAKEN,
  SIGALRM,
  type ThreadNotice,
  type WorkerThreadData,
  words,
} from './worker-link.ts'

const data = workerData as WorkerThreadData
const { port } = data
const shared = new Int32Array(data.shared)
const signals = new Uint8Array(data.signals)

const DEBUG = 10
const INFO = 20
const WARNING = 30

/** A bytearray of Python's, whose place in the interpreter's memory does not change. */
interface Area {
  readonly at: number
  readonly size: number
}

interface ByteArrayProxy {
  getBuffer(type: 'u8'): { readonly data: Uint8Array }
}

/** What of Emscripten's is used here. */
interface EmscriptenModule {
  readonly HEAPU8: Uint8Array
  /** 0 when there is no memory for it. */
  _malloc(bytes: number): number
  _free(place: number): void
}

/** The part of its memory that an interpreter must be able to get in one piece, or it is full. */
const ROOM = 8

/** The `Link` of `python/monoceros/embedded.py`. */
class Link {
  readonly number = data.number
  readonly #module: EmscriptenModule
  readonly #collect: () => unknown
  #incoming: Area = { at: 0, size: 0 }
  #outgoing: Area = { at: 0, size: 0 }
  /** Of a message that did not fit: what is left. */
  #rest: Uint8Array | null = null
  /** The count of sent messages up to which all have been received. */
  #seen = 0

  readonly #memory: MemoryReport
  readonly #files: HostFiles

  constructor(pyodide: PyodideAPI, memory: MemoryReport) {
    this.#memory = memory
    this.#files = hostFilesOf(pyodide)
    this.#module = (pyodide as unknown as { _module: EmscriptenModule })._module
    this.#collect = pyodide.pyimport('gc').collect
  }

  attach(incoming: ByteArrayProxy, outgoing: ByteArrayProxy): void {
    this.#incoming = area(incoming)
    this.#outgoing = area(outgoing)
  }

  receive(patient: boolean): number {
    for (;;) {
      const sent = Atomics.load(shared, words.sent)
      const message = this.#rest ?? (receiveMessageOnPort(port)?.message as Uint8Array | undefined)
      if (message !== undefined) return this.#take(message)
      this.#seen = sent
      if (!patient || Atomics.load(signals, 0) !== 0) return 0
      Atomics.wait(shared, words.sent, sent)
    }
  }

  waiting(): boolean {
    return this.#rest !== null || Atomics.load(shared, words.sent) !== this.#seen
  }

  #take(message: Uint8Array): number {
    const { at, size } = this.#incoming
    if (message.length <= size) {
      this.#module.HEAPU8.set(message, at)
      this.#rest = null
      return message.length
    }
    this.#module.HEAPU8.set(message.subarray(0, size), at)
    this.#rest = message.subarray(size)
    return size
  }

  send(size: number): void {
    const { at } = this.#outgoing
    sendFrames(this.#module.HEAPU8.slice(at, at + size))
  }

  claim(stream: number): boolean {
    if (this.#memory.wasRefused) this.#checkMemory()
    return (
      Atomics.compareExchange(shared, words.begun, (stream - 1) | 0, stream | 0) ===
      ((stream - 1) | 0)
    )
  }

  /**
   * Between two requests, after one that wanted more memory than there may be: is there room again?
   * WebAssembly's memory never shrinks, but what Python gave back within it is used anew. An
   * application that keeps what it took would answer MemoryError for ever.
   */
  #checkMemory(): void {
    const { limit } = this.#memory
    let place = 0
    try {
      this.#collect()
      place = this.#module._malloc(limit / ROOM)
      this.#module._free(place)
    } catch {
      // There was not even room to look.
    }
    if (place === 0) say({ type: 'full', limit })
    this.#memory.wasRefused = false
  }

  begun(): number {
    return Atomics.load(shared, words.begun) >>> 0
  }

  late(): number {
    return Atomics.load(shared, words.late) >>> 0
  }

  interrupted(stream: number): void {
    Atomics.store(shared, words.interrupted, stream | 0)
  }

  again(): void {
    Atomics.store(signals, 0, SIGALRM)
  }

  open(path: string): number {
    return openSync(path, 'r')
  }

  read(file: number, offset: number, size: number): number {
    const { at } = this.#incoming
    return readSync(file, this.#module.HEAPU8, at, size, offset)
  }

  size(file: number): number {
    return fstatSync(file).size
  }

  close(file: number): void {
    closeSync(file)
  }

  on_disk(descriptor: number): boolean {
    return this.#files.isHostDescriptor(descriptor)
  }

  stands(stack: string): void {
    say({ type: 'stands', stack })
  }

  serves(): void {
    this.#memory.serves()
  }

  exit(status: number): void {
    say({ type: 'ended', status })
    process.exit(status)
  }
}

function area(proxy: ByteArrayProxy): Area {
  // Kept for ever, and with it the place: a bytearray that is looked at cannot be moved.
  const { data: bytes } = proxy.getBuffer('u8')
  return { at: bytes.byteOffset, size: bytes.byteLength }
}

function say(notice: ThreadNotice): void {
  port.postMessage(notice)
}

function log(level: number, text: string): void {
  sendFrames(
    new Uint8Array(encodeFrame(LOG, 0, Buffer.concat([Buffer.from([level]), Buffer.from(text)]))),
  )
}

function sendFrames(bytes: Uint8Array<ArrayBuffer>): void {
  const size = bytes.length
  port.postMessage(bytes, [bytes.buffer])
  waitForRoom(size)
}

/**
 * After something of that size was sent. The acceptor takes it whatever its clients do, so this
 * ends.
 */
function waitForRoom(size: number): void {
  let untaken = Atomics.add(shared, words.untaken, size) + size
  while (untaken > MOST_UNTAKEN) {
    Atomics.wait(shared, words.untaken, untaken)
    untaken = Atomics.load(shared, words.untaken)
  }
}

function output(stream: 'stdout' | 'stderr'): (bytes: Uint8Array) => void {
  return (bytes) => {
    say({ type: 'output', stream, bytes: bytes.slice() })
    waitForRoom(bytes.length)
  }
}

/**
 * Tells the log how much memory the interpreter has: when it serves, and whenever it has doubled
 * since.
 */
class MemoryReport {
  /** The most that there may be. */
  readonly limit = data.memoryLimit ?? WEBASSEMBLY_MOST
  /** More was wanted since this was last set to false. */
  wasRefused = false
  #told = Number.POSITIVE_INFINITY
  #bytes = 0
  #refused = false

  grown(bytes: number): void {
    this.#bytes = bytes
    Atomics.store(shared, words.pages, bytes / 65536)
    if (bytes < 2 * this.#told) return
    this.#told = bytes
    log(INFO, `The interpreter has grown to ${mebibytes(bytes)} of memory`)
  }

  /**
   * It wanted more than its limit; Emscripten asks for more than it needs first, so that is not yet
   * the end.
   */
  refused(): void {
    if (this.#told === Number.POSITIVE_INFINITY) return
    this.wasRefused = true
    if (this.#refused) return
    this.#refused = true
    log(
      WARNING,
      `The interpreter has ${mebibytes(this.#bytes)} of memory and comes to its limit ` +
        `(${memoryLimitText(this.limit)}): where Python needs more it raises MemoryError`,
    )
  }

  /** The application is loaded. */
  serves(): void {
    this.#told = this.#bytes
    log(DEBUG, `The interpreter has ${mebibytes(this.#bytes)} of memory`)
  }
}

async function run(): Promise<void> {
  const memory = new MemoryReport()
  const pyodide = await startInterpreter({
    image: data.image,
    mounts: data.mounts,
    environment: data.environment,
    stdout: output('stdout'),
    stderr: output('stderr'),
    memoryLimit: data.memoryLimit,
    grown: (bytes) => memory.grown(bytes),
    refused: () => memory.refused(),
    interruptBuffer: signals,
    notice: (text) => log(WARNING, text),
    locks: new FileLocks(data.locks, data.owner, {
      interrupted: () => Atomics.load(signals, 0) !== 0,
      claimed: () => say({ type: 'claimed' }),
      notice: (text) => log(WARNING, text),
    }),
    argv: ['monoceros'],
  })
  const link = new Link(pyodide, memory)
  const globals = pyodide.toPy({ link, folder: pythonFolder })
  const status: unknown = pyodide.runPython(SERVE, { globals })
  // After a fatal error inside of a call from Python to JavaScript Pyodide returns as if nothing
  // had been.
  if (typeof status !== 'number') throw new Error('the interpreter ended in the middle of its work')
  link.exit(status)
}

const SERVE = `
import sys
sys.path.insert(0, folder)
import monoceros.embedded
sys.path.remove(folder)
monoceros.embedded.serve(link)
`

// Python's output has a way of its own, and what is written here would be kept, as nobody reads it.
process.stdout.write = process.stderr.write = () => true
// A promise that nobody waits for is no reason to end; the thread does not come back to its event
// loop in any case.
process.on('unhandledRejection', () => {})
try {
  await run()
} catch (error) {
  say({ type: 'broken', failure: describeFailure(error) })
  process.exit(1)
}

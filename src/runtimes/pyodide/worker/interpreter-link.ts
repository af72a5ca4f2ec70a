import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { receiveMessageOnPort } from 'node:worker_threads'
import type { PyodideAPI } from 'pyodide'
import type { HostFiles } from '../files/host-files.ts'
import { hostFilesOf } from '../interpreter.ts'
import type { AcceptorPort } from './acceptor-port.ts'
import type { MemoryReport } from './memory-report.ts'
import { SIGALRM, WORDS, type WorkerThreadData } from './worker-link.ts'

/** The fraction of its memory that an interpreter must be able to allocate at once. */
const NEEDED_FRACTION = 8

/** A bytearray of Python's. Its address in the interpreter's memory does not change. */
interface Area {
  readonly at: number
  readonly size: number
}

interface ByteArrayProxy {
  getBuffer(type: 'u8'): { readonly data: Uint8Array }
}

/** The parts of Emscripten's module that the link uses. */
interface EmscriptenModule {
  readonly HEAPU8: Uint8Array
  /** Returns 0 if there is no memory. */
  _malloc(bytes: number): number
  _free(address: number): void
}

/** The `Link` of `python/monoceros/embedded.py`, where each method is described. */
export class InterpreterLink {
  readonly number: number
  readonly #data: WorkerThreadData
  readonly #words: Int32Array
  readonly #signals: Uint8Array
  readonly #port: AcceptorPort
  readonly #memory: MemoryReport
  readonly #files: HostFiles
  readonly #module: EmscriptenModule
  readonly #collect: () => unknown
  #incoming: Area = { at: 0, size: 0 }
  #outgoing: Area = { at: 0, size: 0 }
  /** The rest of a message that did not fit. */
  #rest: Uint8Array | null = null
  /** The count of sent messages up to which all have been received. */
  #seen = 0

  constructor(
    data: WorkerThreadData,
    pyodide: PyodideAPI,
    port: AcceptorPort,
    memory: MemoryReport,
  ) {
    this.#data = data
    this.number = data.number
    this.#words = new Int32Array(data.shared)
    this.#signals = new Uint8Array(data.signals)
    this.#port = port
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
      const sent = Atomics.load(this.#words, WORDS.sent)
      const message =
        this.#rest ?? (receiveMessageOnPort(this.#data.port)?.message as Uint8Array | undefined)
      if (message !== undefined) return this.#take(message)
      this.#seen = sent
      if (!patient || Atomics.load(this.#signals, 0) !== 0) return 0
      Atomics.wait(this.#words, WORDS.sent, sent)
    }
  }

  waiting(): boolean {
    return this.#rest !== null || Atomics.load(this.#words, WORDS.sent) !== this.#seen
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
    this.#port.sendFrames(this.#module.HEAPU8.slice(at, at + size))
  }

  claim(stream: number): boolean {
    if (this.#memory.wasRefused) this.#checkMemory()
    const last = (stream - 1) | 0
    return Atomics.compareExchange(this.#words, WORDS.begun, last, stream | 0) === last
  }

  /**
   * Checks between two requests whether there is memory again, after one that was refused some.
   * WebAssembly's memory never shrinks, but memory that Python freed can be used again. A worker
   * whose application keeps what it took would answer every request with MemoryError.
   */
  #checkMemory(): void {
    const { limit } = this.#memory
    let address = 0
    try {
      this.#collect()
      address = this.#module._malloc(limit / NEEDED_FRACTION)
      this.#module._free(address)
    } catch {
      // There was not even enough memory for the check.
    }
    if (address === 0) this.#port.notify({ type: 'full', limit })
    this.#memory.wasRefused = false
  }

  begun(): number {
    return Atomics.load(this.#words, WORDS.begun) >>> 0
  }

  late(): number {
    return Atomics.load(this.#words, WORDS.late) >>> 0
  }

  shown(): number {
    return Atomics.load(this.#words, WORDS.shown) >>> 0
  }

  shown_after(): number {
    return Atomics.load(this.#words, WORDS.shownAfter)
  }

  sampled(): number {
    return Atomics.load(this.#words, WORDS.sampled) >>> 0
  }

  sampling(): boolean {
    return Atomics.load(this.#words, WORDS.sampling) !== 0
  }

  hertz(): number {
    return Atomics.load(this.#words, WORDS.hertz)
  }

  interrupted(stream: number): void {
    Atomics.store(this.#words, WORDS.interrupted, stream | 0)
  }

  again(): void {
    Atomics.store(this.#signals, 0, SIGALRM)
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

  report_stack(stack: string): void {
    this.#port.notify({ type: 'stands', stack })
  }

  serves(): void {
    this.#memory.serves()
  }

  exit(status: number): void {
    this.#port.notify({ type: 'ended', status })
    process.exit(status)
  }
}

function area(proxy: ByteArrayProxy): Area {
  // The buffer is never released: as long as it exists, Python cannot move the bytearray.
  const { data: bytes } = proxy.getBuffer('u8')
  return { at: bytes.byteOffset, size: bytes.byteLength }
}

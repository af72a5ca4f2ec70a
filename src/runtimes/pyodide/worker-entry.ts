/** What a worker's thread runs: an interpreter, and `monoceros.embedded` in it, until the acceptor says STOP. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { PyodideAPI } from 'pyodide'
import { startInterpreter } from './interpreter.ts'
import { pythonFolder } from './package.ts'
import { SIGALRM, type ThreadNotice, type WorkerThreadData, words } from './worker-link.ts'

const data = workerData as WorkerThreadData
const { port } = data
const shared = new Int32Array(data.shared)
const signals = new Uint8Array(data.signals)

/** A bytearray of Python's, whose place in the interpreter's memory does not change. */
interface Area {
  readonly at: number
  readonly size: number
}

interface ByteArrayProxy {
  getBuffer(type: 'u8'): { readonly data: Uint8Array }
}

/** The `Link` of `python/monoceros/embedded.py`. */
class Link {
  readonly number = data.number
  readonly #module: { readonly HEAPU8: Uint8Array }
  #incoming: Area = { at: 0, size: 0 }
  #outgoing: Area = { at: 0, size: 0 }
  /** Of a message that did not fit: what is left. */
  #rest: Uint8Array | null = null

  constructor(pyodide: PyodideAPI) {
    this.#module = (pyodide as unknown as { _module: { HEAPU8: Uint8Array } })._module
  }

  attach(incoming: ByteArrayProxy, outgoing: ByteArrayProxy): void {
    this.#incoming = area(incoming)
    this.#outgoing = area(outgoing)
  }

  receive(patient: boolean): number {
    for (;;) {
      const seen = Atomics.load(shared, words.sent)
      const message = this.#rest ?? (receiveMessageOnPort(port)?.message as Uint8Array | undefined)
      if (message !== undefined) return this.#take(message)
      if (!patient || Atomics.load(signals, 0) !== 0) return 0
      Atomics.wait(shared, words.sent, seen)
    }
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
    const bytes = this.#module.HEAPU8.slice(at, at + size)
    port.postMessage(bytes, [bytes.buffer])
  }

  claim(stream: number): boolean {
    return Atomics.compareExchange(shared, words.begun, (stream - 1) | 0, stream | 0) === ((stream - 1) | 0)
  }

  begun(): number {
    return Atomics.load(shared, words.begun) >>> 0
  }

  late(): number {
    return Atomics.load(shared, words.late) >>> 0
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

function output(stream: 'stdout' | 'stderr'): (bytes: Uint8Array) => void {
  return (bytes) => say({ type: 'output', stream, bytes: bytes.slice() })
}

async function run(): Promise<void> {
  const pyodide = await startInterpreter({
    image: data.image,
    mounts: data.mounts,
    environment: data.environment,
    stdout: output('stdout'),
    stderr: output('stderr'),
    memoryLimit: data.memoryLimit,
    grown: (bytes) => Atomics.store(shared, words.pages, bytes / 65536),
    interruptBuffer: signals,
  })
  const link = new Link(pyodide)
  const { FS } = pyodide as unknown as { FS: unknown }
  void FS
  const globals = pyodide.toPy({ link, folder: pythonFolder })
  const status: number = pyodide.runPython(
    [
      'import sys',
      'sys.path.insert(0, folder)',
      'import monoceros.embedded',
      'sys.path.remove(folder)',
      'monoceros.embedded.serve(link)',
    ].join('\n'),
    { globals },
  )
  link.exit(status)
}

try {
  await run()
} catch (error) {
  say({ type: 'broken', text: failureText(error) })
  process.exit(1)
}

/** Python's traceback if it is Python's error, else a line; never where in Pyodide's source it was. */
function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, 2000)
  if (error.name === 'PythonError') return error.message
  return `${error.name}: ${error.message}`.slice(0, 2000)
}

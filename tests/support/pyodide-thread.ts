import { Worker } from 'node:worker_threads'

export interface PyodideThreadOptions {
  readonly mounts: readonly { readonly path: string; readonly readOnly: boolean }[]
  /** The table of file locks, and this interpreter's number in it. */
  readonly table: SharedArrayBuffer
  readonly owner: number
  readonly cwd: string
  /** `os.environ`. */
  readonly environment?: Readonly<Record<string, string>>
}

interface Answer {
  readonly number?: number
  readonly value?: string
  readonly failure?: string
  readonly notices?: string[]
  readonly said?: string
  readonly ready?: true
}

/**
 * An embedded interpreter with the disk's files, and nothing of the server, in a thread of its own.
 * Its Python has a module `host` (see pyodide-thread-entry.mjs).
 */
export class PyodideThread {
  /** What the interpreter's files had to say. */
  readonly notices: string[] = []
  readonly #worker: Worker
  readonly #waiting = new Map<
    number,
    { resolve: (value: string) => void; reject: (error: Error) => void }
  >()
  readonly #said: string[] = []
  #listener: (() => void) | null = null
  #number = 0

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (answer: Answer) => this.#answered(answer))
    worker.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('The thread has ended'))
      this.#waiting.clear()
    })
  }

  static async start(options: PyodideThreadOptions): Promise<PyodideThread> {
    const worker = new Worker(new URL('./pyodide-thread-entry.mjs', import.meta.url), {
      workerData: options,
    })
    const thread = new PyodideThread(worker)
    await new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve())
      worker.once('error', reject)
    })
    return thread
  }

  /**
   * Runs Python and resolves to the value of its last expression, a string. Rejects with the
   * traceback.
   */
  run(code: string): Promise<string> {
    const number = ++this.#number
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      this.#worker.postMessage({ number, code })
    })
  }

  /** Runs Python whose last expression can be written as JSON, and resolves to its value. */
  async evaluate(statements: string, expression: string): Promise<unknown> {
    return JSON.parse(await this.run(`${statements}\nimport json\njson.dumps((${expression}))`))
  }

  /** Resolves when Python has called `host.say(text)`. */
  async said(text: string): Promise<void> {
    while (!this.#said.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#listener = resolve
      })
    }
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
  }

  #answered(answer: Answer): void {
    if (answer.said !== undefined) {
      this.#said.push(answer.said)
      this.#listener?.()
    }
    this.notices.push(...(answer.notices ?? []))
    if (answer.number === undefined) return
    const waiting = this.#waiting.get(answer.number)
    this.#waiting.delete(answer.number)
    if (answer.failure === undefined) waiting?.resolve(answer.value as string)
    else waiting?.reject(new Error(answer.failure))
  }
}

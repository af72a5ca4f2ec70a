import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  appendFileSync,
  closeSync,
  openSync,
  readSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { FileLike, FileWrapperConstructor } from '../../../src/wsgi/types.ts'
import { bytes, note, notePath, plainText, register, tokenOf } from './registry.ts'

// PEP 3333, "Optional Platform-Specific File Handling".

const content = bytes('0123456789abcdefghijklmnopqrstuvwxyz'.repeat(5000))
const tail = content.length - 10

/** A file on disk with a cursor, which goes away when it is closed. */
class RealFile implements FileLike {
  readonly fd: number
  readonly path: string
  position = 0
  closed = false

  constructor(given = content) {
    this.path = notePath(randomUUID())
    writeFileSync(this.path, given)
    this.fd = openSync(this.path, 'r')
  }

  seek(position: number): this {
    this.position = position
    return this
  }

  read(size: number): Uint8Array {
    const block = new Uint8Array(size)
    const length = readSync(this.fd, block, 0, size, this.position)
    this.position += length
    return block.subarray(0, length)
  }

  unlink(): this {
    unlinkSync(this.path)
    return this
  }

  close(): void {
    if (!this.closed) closeSync(this.fd)
    this.closed = true
  }
}

class TemporaryFile extends RealFile {
  override close(): void {
    if (!this.closed) this.unlink()
    super.close()
  }
}

/** A real file without a name that notes its close(). */
class NotingFile extends RealFile {
  readonly #token: string

  constructor(token: string) {
    super()
    this.unlink()
    this.#token = token
  }

  override close(): void {
    if (!this.closed) note(this.#token, 'closed')
    super.close()
  }
}

/** Reads ahead of what it gives, by much. */
class BufferedFile implements FileLike {
  readonly #file: RealFile
  #buffer: Uint8Array = new Uint8Array(0)

  constructor(file: RealFile) {
    this.#file = file
  }

  read(size: number): Uint8Array {
    if (this.#buffer.length < size) {
      const more = this.#file.read(Math.max(size, 65536))
      this.#buffer = Buffer.concat([this.#buffer, more])
    }
    const block = this.#buffer.subarray(0, size)
    this.#buffer = this.#buffer.subarray(size)
    return block
  }

  close(): void {
    this.#file.close()
  }
}

/**
 * File-like in the smallest sense: `read` with a size, and no close(). What it gives are promises,
 * as of a file that is waited for.
 */
class OnlyRead implements FileLike {
  #left: Uint8Array

  constructor(given: Uint8Array) {
    this.#left = given
  }

  async read(size: number): Promise<Uint8Array> {
    const block = this.#left.subarray(0, size)
    this.#left = this.#left.subarray(size)
    return block
  }
}

/** The same with a close() that notes. */
class ReadAndClose extends OnlyRead {
  readonly #token: string

  constructor(given: Uint8Array, token: string) {
    super(given)
    this.#token = token
  }

  async close(): Promise<void> {
    note(this.#token, 'closed')
  }
}

/** A pipe with that content, written and ended. */
function pipe(given: string): FileLike {
  const path = notePath(randomUUID())
  execFileSync('mkfifo', [path])
  const writer = openSync(path, 'r+') // with both directions neither waits for the other end
  const reader = openSync(path, 'r')
  writeSync(writer, given)
  closeSync(writer)
  unlinkSync(path)
  return {
    read: (size) => {
      const block = new Uint8Array(size)
      return block.subarray(0, readSync(reader, block, 0, size, null))
    },
    close: () => closeSync(reader),
  }
}

/** The file that was served last, to be looked at afterwards. */
let served: RealFile | undefined

const kinds: Readonly<Record<string, (wrapper: FileWrapperConstructor, token: string) => unknown>> =
  {
    file: (Wrapper) => new Wrapper(new TemporaryFile()),
    'file with block size': (Wrapper) => new Wrapper(new TemporaryFile(), 100),
    'empty file': (Wrapper) => new Wrapper(new TemporaryFile(bytes(''))),
    'file at an offset': (Wrapper) => new Wrapper(new TemporaryFile().seek(tail)),
    'file moved after wrapping': (Wrapper) => {
      const file = new TemporaryFile()
      const wrapped = new Wrapper(file)
      file.seek(tail)
      return wrapped
    },
    'buffered file read in part': (Wrapper) => {
      const file = new BufferedFile(new TemporaryFile())
      file.read(tail)
      return new Wrapper(file)
    },
    'file growing': (Wrapper) => {
      const file = new TemporaryFile(bytes('short'))
      appendFileSync(file.path, ' and more')
      return new Wrapper(file)
    },
    'deleted file': (Wrapper) => new Wrapper(new RealFile().unlink()),
    'file with most of it left': (Wrapper) => new Wrapper(new TemporaryFile().seek(36)),
    'plain file': (Wrapper) => {
      served = new RealFile()
      return new Wrapper(served)
    },
    'noting file': (Wrapper, token) => new Wrapper(new NotingFile(token)),
    BytesIO: (Wrapper) => new Wrapper(new OnlyRead(content)),
    'BytesIO at an offset': (Wrapper) => new Wrapper(new OnlyRead(content.subarray(tail))),
    'only read': (Wrapper) => new Wrapper(new OnlyRead(bytes('only read')), 4),
    'read and close': (Wrapper, token) =>
      new Wrapper(new ReadAndClose(bytes('read and close'), token)),
    gzip: (Wrapper) => {
      const file = new TemporaryFile(gzipSync('plain'))
      const plain = new OnlyRead(gunzipSync(file.read(1000)))
      // The descriptor is that of the compressed file, but read() gives what was compressed.
      return new Wrapper(
        Object.assign(plain, { fd: file.fd, path: file.path, close: () => file.close() }),
      )
    },
    pipe: (Wrapper) => new Wrapper(pipe('through a pipe')),
  }

/** Returns a file wrapper around the kind of file that `X-File` names. */
register('wraps', (environ, startResponse) => {
  const headers = plainText()
  if (environ.HTTP_X_LENGTH !== undefined) headers.push(['Content-Length', environ.HTTP_X_LENGTH])
  startResponse('200 OK', headers)
  const wrap = kinds[environ.HTTP_X_FILE ?? '']
  if (wrap === undefined) throw new Error(`no file ${environ.HTTP_X_FILE}`)
  return wrap(environ['wsgi.file_wrapper']!, tokenOf(environ))
})

/** Whether the plain file that was served last has been closed. */
register('file_was_closed', (_environ, startResponse) => {
  startResponse('200 OK', plainText())
  return [bytes(served?.closed ? 'closed' : 'still open')]
})

/** A middleware that changes what the wrapped file gives: it sees an iterable like any other. */
register('wraps_and_uppercases', async function* (environ, startResponse) {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  const wrapped = new environ['wsgi.file_wrapper']!(new ReadAndClose(bytes('lower case'), token), 4)
  try {
    for await (const block of wrapped)
      yield bytes(Buffer.from(block).toString('latin1').toUpperCase())
  } finally {
    wrapped.close()
  }
})

/** A wrapper that is made and never returned must not have sent anything. */
register('wraps_and_drops', (environ, startResponse) => {
  const file = new TemporaryFile()
  new environ['wsgi.file_wrapper']!(file)
  startResponse('200 OK', plainText())
  const { position } = file
  file.close()
  return [bytes(`other body, file at ${position}`)]
})

/**
 * A middleware that puts a wrapper of its own into the environ: its object is no business of the
 * server's.
 */
register('wraps_middleware_file', (environ, startResponse) => {
  const held = new TemporaryFile()
  /** Looks like a server's wrapper: it holds a real file, but gives something else. */
  class Wrapper {
    readonly file: FileLike

    constructor(file: FileLike) {
      this.file = file
    }

    *[Symbol.iterator](): Generator<Uint8Array> {
      yield bytes('from the ')
      yield bytes('middleware')
    }

    close(): void {
      this.file.close?.()
    }
  }
  environ['wsgi.file_wrapper'] = Wrapper as unknown as FileWrapperConstructor
  startResponse('200 OK', plainText())
  return new Wrapper(held)
})

import type { FileLike, FileWrapper as FileWrapperContract } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * A body that is read from a file in blocks (`wsgiref.util.FileWrapper`; PEP 3333 "Optional
 * Platform-Specific File Handling").
 *
 * It asks for a block when the one before it is on its way, so a large file takes no memory to
 * speak of. It is what `wsgi.file_wrapper` is where the server has no faster way.
 *
 * @example
 * import { FileWrapper, type WSGIApplication } from 'monoceros'
 *
 * const app: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
 *   return new FileWrapper(environ['wsgi.input']) // sends back what it gets
 * }
 */
export class FileWrapper implements FileWrapperContract {
  readonly file: FileLike
  /** In bytes. */
  readonly blockSize: number

  /**
   * @param file `read(size)` gives a block or a promise of one, an empty one at the end; `close()`,
   * where there is one, is called with the body's
   * @param blockSize the most bytes of a block
   * @throws WSGIError where that is no file; RangeError where the size is not a whole number from 1
   * on
   */
  constructor(file: FileLike, blockSize = 8192) {
    if (typeof (file as FileLike | undefined | null)?.read !== 'function') {
      throw new WSGIError(
        'Optional Platform-Specific File Handling',
        `FileWrapper takes an object with a method read(size), not ${describeValue(file)}`,
      )
    }
    if (!Number.isInteger(blockSize) || blockSize < 1) {
      throw Object.assign(
        new RangeError(
          `FileWrapper: blockSize must be a whole number of bytes from 1 on, not ${describeValue(blockSize)}`,
        ),
        { code: 'bad-block-size' },
      )
    }
    this.file = file
    this.blockSize = blockSize
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const block = await this.file.read(this.blockSize)
      if (!(block instanceof Uint8Array)) {
        throw new WSGIError(
          'Optional Platform-Specific File Handling',
          `FileWrapper: the file's read(size) must give a Uint8Array, not ${describeValue(block)}`,
        )
      }
      if (block.length === 0) return
      yield block
    }
  }

  /** Closes the file, where it can be closed. */
  close(): unknown {
    return this.file.close?.()
  }
}

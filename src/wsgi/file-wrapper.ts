import type { FileLike, FileWrapper as FileWrapperContract } from './types.ts'
import { describeValue, WSGIError } from './wsgi-error.ts'

/**
 * A body that is read from a file in blocks (`wsgiref.util.FileWrapper`; PEP 3333 "Optional
 * Platform-Specific File Handling").
 *
 * It reads a block when the one before it was sent, so that a large file takes little memory.
 * Servers without a faster way to send a file use it as `wsgi.file_wrapper`.
 *
 * @example
 * import { FileWrapper, type WSGIApplication } from 'monoceros'
 *
 * const app: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
 *   return new FileWrapper(environ['wsgi.input']) // sends back the body of the request
 * }
 */
export class FileWrapper implements FileWrapperContract {
  readonly file: FileLike
  /** The most bytes of a block. */
  readonly blockSize: number

  /**
   * @param file its `read(size)` gives a block or a promise of one, and an empty one at the end;
   * its `close()`, if any, is called when the response is over
   * @param blockSize the most bytes of a block. Defaults to 8192
   * @throws WSGIError if `file` has no method `read`
   * @throws RangeError (`bad-block-size`) if `blockSize` is not a whole number of at least 1
   */
  constructor(file: FileLike, blockSize = 8192) {
    if (typeof (file as FileLike | undefined | null)?.read !== 'function') {
      throw new WSGIError(
        'Optional Platform-Specific File Handling',
        `FileWrapper: file must have a method read(size), not be ${describeValue(file)}`,
      )
    }
    if (!Number.isInteger(blockSize) || blockSize < 1) {
      throw Object.assign(
        new RangeError(
          `FileWrapper: blockSize must be a whole number of bytes, 1 or more, ` +
            `not ${describeValue(blockSize)}`,
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
          "FileWrapper: the file's read(size) must return a Uint8Array, " +
            `not ${describeValue(block)}`,
        )
      }
      if (block.length === 0) return
      yield block
    }
  }

  /** Closes the file, if it has a method `close`. */
  close(): unknown {
    return this.file.close?.()
  }
}

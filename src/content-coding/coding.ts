import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'

/** A content coding that `compress` can produce (RFC 9110 §8.4.1, RFC 7932, RFC 8878). */
export type Encoding = 'br' | 'zstd' | 'gzip'

/** Compresses with one content coding. */
export interface Coding {
  /** The default level, for a response that is sent to one client: fast, and nearly as small. */
  readonly level: number
  readonly levels: readonly [least: number, most: number]
  /**
   * Makes a stream that is flushed after each piece, so that all of the piece comes out at once.
   */
  stream(level: number): Transform
  /** Compresses a whole body. */
  whole(data: Uint8Array, level: number): Promise<Uint8Array>
}

/** Windows of 256 KiB. The default sizes take several megabytes of memory for each response. */
const WINDOW_BITS = 18

/** The zstd functions of Node 22.15 and later, which `@types/node` for Node 20 lacks. */
interface ZstdOfZlib {
  createZstdCompress?: (options: object) => Transform
  zstdCompress?: (
    data: Uint8Array,
    options: object,
    callback: (error: Error | null, result: Buffer) => void,
  ) => void
  constants: Record<'ZSTD_e_flush' | 'ZSTD_c_compressionLevel' | 'ZSTD_c_windowLog', number>
}

const gzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gzip)
const brotli = promisify<Uint8Array, zlib.BrotliOptions, Buffer>(zlib.brotliCompress)
const {
  Z_SYNC_FLUSH,
  BROTLI_OPERATION_FLUSH,
  BROTLI_PARAM_QUALITY,
  BROTLI_PARAM_LGWIN,
  BROTLI_PARAM_SIZE_HINT,
} = zlib.constants

function brotliParameters(level: number, size = 0) {
  return {
    [BROTLI_PARAM_QUALITY]: level,
    [BROTLI_PARAM_LGWIN]: WINDOW_BITS,
    [BROTLI_PARAM_SIZE_HINT]: size,
  }
}

function zstdCoding(): Coding | null {
  const { createZstdCompress, zstdCompress, constants } = zlib as unknown as ZstdOfZlib
  if (createZstdCompress === undefined || zstdCompress === undefined) return null
  const whole = promisify<Uint8Array, object, Buffer>(zstdCompress)
  const params = (level: number) => ({
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: WINDOW_BITS,
  })
  return {
    level: 3,
    levels: [1, 19],
    stream: (level) => createZstdCompress({ flush: constants.ZSTD_e_flush, params: params(level) }),
    whole: (data, level) => whole(data, { params: params(level) }),
  }
}

/** The codings; null for one that this version of Node does not have. */
export const CODINGS: Readonly<Record<Encoding, Coding | null>> = {
  br: {
    level: 4,
    levels: [0, 11],
    stream: (level) =>
      zlib.createBrotliCompress({ flush: BROTLI_OPERATION_FLUSH, params: brotliParameters(level) }),
    whole: (data, level) => brotli(data, { params: brotliParameters(level, data.length) }),
  },
  zstd: zstdCoding(),
  gzip: {
    level: 6,
    levels: [1, 9],
    stream: (level) => zlib.createGzip({ flush: Z_SYNC_FLUSH, level }),
    whole: (data, level) => gzip(data, { level }),
  },
}

/**
 * Compresses piece by piece. The promise for a piece resolves to all of its compressed bytes, so
 * that the client can read the piece at once.
 */
export class Coder {
  readonly #stream: Transform
  readonly #out: Uint8Array[] = []

  constructor(stream: Transform) {
    this.#stream = stream
    stream.on('data', (piece: Buffer) => this.#out.push(piece))
    // The error rejects the promise for the piece.
    stream.on('error', () => {})
  }

  push(piece: Uint8Array): Promise<Uint8Array[]> {
    return new Promise((resolve, reject) => {
      this.#stream.write(piece, (error) => {
        if (error) reject(error)
        else resolve(this.#take())
      })
    })
  }

  finish(): Promise<Uint8Array[]> {
    return new Promise((resolve, reject) => {
      if (this.#stream.destroyed) throw new Error('compress: the response was over before its end')
      this.#stream.once('end', () => resolve(this.#take()))
      this.#stream.once('error', reject)
      this.#stream.once('close', () =>
        reject(new Error('compress: the response was over before its end')),
      )
      this.#stream.end()
    })
  }

  /** Frees the memory of the codec. Promises that are pending then never resolve. */
  destroy(): void {
    this.#stream.destroy()
  }

  #take(): Uint8Array[] {
    // Passes bytes that the stream still holds to the listener now, and not a tick later.
    while (this.#stream.read() !== null);
    return this.#out.splice(0)
  }
}

import { createHash } from 'node:crypto'
import { extname } from 'node:path'
import { contentType } from 'mime-types'
import type { ResponseHeaders, StartResponse, WSGIBody, WSGIEnvironment } from '../../wsgi/types.ts'
import { acceptedEncodings } from '../compress/accept-encoding.ts'
import { isCompressible } from '../compress/compressible.ts'
import { headerValue } from '../conditional/held-head.ts'
import { notModifiedHeaders } from '../conditional/not-modified.ts'
import {
  evaluatePreconditions,
  rangeApplies,
  type Validators,
} from '../conditional/preconditions.ts'
import { optionError } from '../option-error.ts'
import { isRead, NOT_ALLOWED, statusAnswer } from './answers.ts'
import { FileBody, readWhole } from './file-body.ts'
import { EXTENSIONS, type PrecompressedEncoding, type StaticFilesSettings } from './options.ts'
import { lengthOf, segmentsOf } from './range-content.ts'
import { requestedRanges } from './requested-ranges.ts'
import type { OpenFile } from './static-root.ts'

/** The file to send: the requested one, or a compressed version of it. */
interface Representation {
  readonly file: OpenFile
  readonly encoding: PrecompressedEncoding | null
}

/** A file of up to this many bytes is read at once and sent with its head. */
const AT_ONCE_BYTES = 64 * 1024
/** Headers that describe the body. The option `headers` may not set them. */
const OURS: ReadonlySet<string> = new Set(['content-length', 'content-range', 'content-encoding'])

/** A request for a file. */
export interface FileRequest {
  readonly settings: StaticFilesSettings
  readonly environ: WSGIEnvironment
  readonly startResponse: StartResponse
}

/** Answers with a file. Closes the file at once, or with the body. */
export async function send(
  { settings, environ, startResponse }: FileRequest,
  file: OpenFile,
  names: readonly string[],
): Promise<WSGIBody> {
  let open = file
  let kept = false
  try {
    if (!isRead(environ)) return NOT_ALLOWED(environ, startResponse)
    const path = `/${names.join('/')}`
    const type = typeOf(names.at(-1)!)
    const varies = settings.precompressed.length > 0 && isCompressible(type)
    const chosen = varies ? await choose(settings, file, names, environ) : { file, encoding: null }
    if (chosen.file !== file) {
      open = chosen.file
      await file.handle.close()
    }
    const { stat, handle } = open
    const size = Number(stat.size)
    const own = validatorsOf(chosen)
    let headers: ResponseHeaders = [
      ['Content-Type', type],
      ['ETag', own.etag],
      ['Last-Modified', own.lastModified],
      ['Accept-Ranges', 'bytes'],
      ['X-Content-Type-Options', 'nosniff'],
    ]
    if (chosen.encoding !== null) headers.push(['Content-Encoding', chosen.encoding])
    if (varies) headers.push(['Vary', 'Accept-Encoding'])
    const cacheControl = settings.cacheControl(path)
    if (cacheControl !== false) headers.push(['Cache-Control', cacheControl])
    headers = withHeaders(headers, settings.headers(path))

    const validators = {
      etag: headerValue(headers, 'etag'),
      lastModified: headerValue(headers, 'last-modified'),
    }
    const outcome = evaluatePreconditions(environ, validators)
    if (outcome === 'not-modified') {
      startResponse('304 Not Modified', notModifiedHeaders(headers))
      return []
    }
    if (outcome === 'failed') return statusAnswer('412 Precondition Failed')(environ, startResponse)

    // A range means something for GET only (RFC 9110 §14.2).
    const ranges =
      environ.REQUEST_METHOD === 'GET' && rangeApplies(environ, validators)
        ? requestedRanges(environ.HTTP_RANGE, size)
        : 'whole'
    if (ranges === 'unsatisfiable')
      return statusAnswer('416 Range Not Satisfiable', ['Content-Range', `bytes */${size}`])(
        environ,
        startResponse,
      )
    const segments =
      ranges === 'whole' ? [{ start: 0, end: size }] : segmentsOf(ranges, size, headers)
    const length = segments.reduce((sum, segment) => sum + lengthOf(segment), 0)
    headers.push(['Content-Length', String(length)])
    const status = ranges === 'whole' ? '200 OK' : '206 Partial Content'
    const first = segments[0]
    if (environ.REQUEST_METHOD === 'HEAD') {
      startResponse(status, headers)
      return []
    }
    if (segments.length === 1 && !(first instanceof Uint8Array) && length <= AT_ONCE_BYTES) {
      const bytes =
        length === 0 ? new Uint8Array(0) : await readWhole(handle, first!.start, first!.end)
      startResponse(status, headers)
      return [bytes]
    }
    startResponse(status, headers)
    kept = true
    return new FileBody(handle, segments)
  } finally {
    if (!kept) await open.handle.close()
  }
}

/**
 * Chooses the file to send: the given one, or a compressed file beside it. If it is another file,
 * both are open.
 */
async function choose(
  settings: StaticFilesSettings,
  file: OpenFile,
  names: readonly string[],
  environ: WSGIEnvironment,
): Promise<Representation> {
  const last = names.at(-1)!
  for (const encoding of acceptedEncodings(environ.HTTP_ACCEPT_ENCODING, settings.precompressed)) {
    if (encoding === 'identity') break
    const coding = encoding as PrecompressedEncoding
    const sibling = await settings.root.open(
      [...names.slice(0, -1), last + EXTENSIONS[coding]],
      () => {},
    )
    if (sibling === null || sibling === 'directory') continue
    // It is older than the file, which was changed and not compressed again.
    if (sibling.stat.mtimeNs >= file.stat.mtimeNs) return { file: sibling, encoding: coding }
    await sibling.handle.close()
  }
  // Even if the client refuses `identity`: a readable answer is better for it than 406, and RFC
  // 9110 §12.5.3 allows it.
  return { file, encoding: null }
}

function typeOf(name: string): string {
  const extension = extname(name)
  return (extension !== '' && contentType(extension)) || 'application/octet-stream'
}

/**
 * The validators of a file. The ETag is strong, as ranges require, unless the file was changed less
 * than a second ago, when it could change again without any difference in size, time and inode (RFC
 * 9110 §8.8.1). It is hashed to hide the number of the inode.
 */
function validatorsOf({ file: { stat }, encoding }: Representation): Required<Validators> & {
  etag: string
  lastModified: string
} {
  const state = `${stat.size} ${stat.mtimeNs} ${stat.ino} ${encoding ?? ''}`
  const tag = createHash('sha256').update(state).digest('base64url').slice(0, 22)
  // A time in the future counts as now: RFC 9110 §8.8.2.1 forbids it in Last-Modified.
  const now = Date.now()
  const changed = Number(stat.mtimeMs)
  return {
    etag: now - changed < 1000 ? `W/"${tag}"` : `"${tag}"`,
    lastModified: new Date(Math.min(changed, now)).toUTCString(),
  }
}

function withHeaders(headers: ResponseHeaders, more: ResponseHeaders): ResponseHeaders {
  let result = headers
  for (const [name] of more) {
    const lower = name.toLowerCase()
    if (OURS.has(lower))
      throw optionError(
        TypeError,
        `staticFiles: headers must not return ${name}, which staticFiles sets`,
      )
    // Values of Vary add up.
    if (lower !== 'vary') result = result.filter(([other]) => other.toLowerCase() !== lower)
  }
  return [...result, ...more]
}

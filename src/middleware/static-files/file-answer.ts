import { isCompressible } from '../../content-coding/compressible.ts'
import { type FileRequestFields, fileAnswer } from '../../files/file-answer.ts'
import { FileBody, readWhole } from '../../files/file-body.ts'
import { validatorsOf } from '../../files/file-facts.ts'
import { typeOfFile } from '../../files/file-type.ts'
import { chooseRepresentation } from '../../files/precompressed.ts'
import type { OpenFile } from '../../files/static-root.ts'
import type { ResponseHeaders, StartResponse, WSGIBody, WSGIEnvironment } from '../../wsgi/types.ts'
import { conditionalFields } from '../conditional/conditional-fields.ts'
import { optionError } from '../option-error.ts'
import { isRead, NOT_ALLOWED, statusAnswer } from './answers.ts'
import type { StaticFilesSettings } from './options.ts'

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
    const type = typeOfFile(names.at(-1)!)
    const varies = settings.precompressed.length > 0 && isCompressible(type)
    const chosen = varies
      ? await chooseRepresentation(
          settings.root,
          file,
          names,
          environ.HTTP_ACCEPT_ENCODING,
          settings.precompressed,
        )
      : { file, encoding: null }
    if (chosen.file !== file) {
      open = chosen.file
      await file.handle.close()
    }
    const { stat, handle } = open
    const size = Number(stat.size)
    const own = validatorsOf(stat, chosen.encoding)
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

    const answer = fileAnswer(environ.REQUEST_METHOD, fieldsOf(environ), size, headers)
    if (answer.status === 304) {
      startResponse('304 Not Modified', answer.fields)
      return []
    }
    if (answer.status === 412)
      return statusAnswer('412 Precondition Failed')(environ, startResponse)
    if (answer.status === 416)
      return statusAnswer('416 Range Not Satisfiable', ['Content-Range', answer.contentRange])(
        environ,
        startResponse,
      )
    const { segments, length } = answer
    const status = answer.status === 200 ? '200 OK' : '206 Partial Content'
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

function fieldsOf(environ: WSGIEnvironment): FileRequestFields {
  return {
    ...conditionalFields(environ),
    range: environ.HTTP_RANGE,
    ifRange: environ.HTTP_IF_RANGE,
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

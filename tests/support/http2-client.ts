import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'

/** A whole answer over HTTP/2. */
export interface Http2Answer {
  readonly headers: IncomingHttpHeaders & { ':status'?: number | undefined }
  readonly body: Buffer
  /** The code that the stream ended with. */
  readonly code: number
  /** The end of the response came: it is not only that the stream is over. */
  readonly ended: boolean
}

/** Takes the whole answer of a request. It never rejects: see `code` and `ended`. */
export async function http2Answer(stream: ClientHttp2Stream): Promise<Http2Answer> {
  const chunks: Buffer[] = []
  let headers: Http2Answer['headers'] = {}
  let ended = false
  stream.on('error', () => {})
  stream.on('response', (fields) => (headers = fields))
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('end', () => {
    ended = !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR
  })
  await new Promise((resolve) => stream.on('close', resolve))
  return { headers, body: Buffer.concat(chunks), code: stream.rstCode, ended }
}

/** Sends a GET, or what the fields say. */
export function http2Get(
  session: ClientHttp2Session,
  path: string,
  fields: OutgoingHttpHeaders = {},
): Promise<Http2Answer> {
  return http2Answer(session.request({ ':path': path, ...fields }))
}

/** Sends a POST without a declared length. */
export function http2Post(
  session: ClientHttp2Session,
  path: string,
  body: Buffer,
): Promise<Http2Answer> {
  const stream = session.request({ ':path': path, ':method': 'POST' })
  stream.end(body)
  return http2Answer(stream)
}

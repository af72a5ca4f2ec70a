import { startTranslator } from '../support/http2-translator.ts'
import type { RunningServer } from '../support/running-server.ts'

/** Where a case sees something else over HTTP/2, and why. */
export interface Http2Difference {
  /** What is seen instead; the suite checks it like the rest. */
  readonly sees: string
  /** The same for an application in TypeScript, if it sees something else than one in Python. */
  readonly typescript?: string
  readonly why: string
}

const NO_REASON = 'HTTP/2 has no reason phrase (RFC 9113 §8.3.2): the usual one is shown here'

const kept = (last: string) =>
  "299 Unknown, a=1; Path=/ & b=2; Path=/, set-cookie,set-cookie,x-between,!#$%&'*+-.^_`|~x," +
  `x-latin,${last}, latin-1 intact`

/** The cases that differ, by their ids. */
export const http2Differences: ReadonlyMap<string, Http2Difference> = new Map([
  [
    'server-protocol-1.1',
    { sees: 'SERVER_PROTOCOL=HTTP/2.0', why: 'that is the version of the request' },
  ],
  ['status-empty-reason', { sees: 'accepted, 299 Unknown: "started"', why: NO_REASON }],
  ['status-no-reason-lenient', { sees: 'accepted, 200 OK: "started"', why: NO_REASON }],
  [
    'exc-info-replaces',
    { sees: '503 Service Unavailable, only the new headers, "replaced"', why: NO_REASON },
  ],
  [
    'exc-info-replaces-late',
    { sees: '503 Service Unavailable, only the new headers, "replaced"', why: NO_REASON },
  ],
  ['exc-info-first-call', { sees: '500', why: NO_REASON }],
  ['start-recovers', { sees: '400', why: NO_REASON }],
  [
    'headers-kept',
    {
      sees: kept('content-length,server,date'),
      typescript: kept('server,date,content-length'),
      why: `${NO_REASON}; names are in lower case, and fields of one name stand together`,
    },
  ],
  [
    'input-chunked-announced',
    {
      sees: 'CONTENT_LENGTH 12, HTTP_TRANSFER_ENCODING absent, wsgi.input_terminated True',
      typescript:
        'CONTENT_LENGTH absent, HTTP_TRANSFER_ENCODING absent, wsgi.input_terminated True',
      why: 'HTTP/2 has no chunked coding; a body without a length needs nothing to say so',
    },
  ],
])

const HTTP_10 = 'it is about HTTP/1.0'
const REFUSED = 'the client of the tests refuses to send it: tests/e2e/http2-requests.test.ts does'

/** Cases that cannot be put over HTTP/2, and why. */
export const onlyHttp1: ReadonlyMap<string, string> = new Map([
  ['server-protocol-1.0', HTTP_10],
  ['server-name-without-host', HTTP_10],
  ['url-reconstruction-no-host', HTTP_10],
  ['write-1.0', HTTP_10],
  ['framing-generator-1.0', HTTP_10],
  ['expect-continue-1.0', HTTP_10],
  ['early-hints-1.0', HTTP_10],
  ['path-info-absolute-form', 'HTTP/2 has no request line: the parts of a URL are fields'],
  ['connection-close', 'HTTP/2 has no field about the connection (RFC 9113 §8.2.2)'],
  ['host-twice', REFUSED],
  ['content-type-twice', REFUSED],
])

/**
 * The server as the cases see it, which speak HTTP/1.1: behind a translator that speaks HTTP/2 to
 * it. It must be started with `--h2c`.
 */
export async function overHttp2(server: RunningServer): Promise<RunningServer> {
  const translator = await startTranslator(server)
  return new Proxy(server, {
    get(target, key) {
      if (key === 'host') return translator.host
      if (key === 'url') return `http://${translator.host}:${translator.port}`
      if (key === 'stop') {
        return async (...args: Parameters<RunningServer['stop']>) => {
          translator.close()
          return await target.stop(...args)
        }
      }
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

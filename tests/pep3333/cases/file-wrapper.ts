import type { PepCase } from '../case.ts'
import { framing, type Probe, summary } from '../probe.ts'

const section = 'Optional Platform-Specific File Handling'
const whole = '0123456789abcdefghijklmnopqrstuvwxyz'.repeat(5000)

/** Serves such a file through wsgi.file_wrapper and says which part of it came. */
async function serve(probe: Probe, file: string, length?: number): Promise<string> {
  const headers: [string, string][] = [['X-File', file]]
  if (length !== undefined) headers.push(['X-Length', String(length)])
  const response = await probe.ask('wraps', { headers })
  const text = response.body.toString('latin1')
  const broken = response.complete ? '' : ', broken off'
  if (text === whole) return `${response.status}, the whole file${broken}`
  if (text.length > 80 && whole.endsWith(text))
    return `${response.status}, its last ${text.length} bytes${broken}`
  if (text.length > 80 && whole.startsWith(text))
    return `${response.status}, its first ${text.length} bytes${broken}`
  return summary(response)
}

function serving(
  id: string,
  file: string,
  rule: string,
  expect: string,
  more: Partial<PepCase> & { length?: number } = {},
): PepCase {
  const { length, ...rest } = more
  return {
    id,
    section,
    level: 'must',
    rule,
    run: (probe) => serve(probe, file, length),
    expect,
    ...rest,
  }
}

export const fileWrapperCases: readonly PepCase[] = [
  serving('file', 'plain file', 'A file on disk is sent.', '200, the whole file'),
  serving(
    'file-temporary',
    'file',
    'A temporary file that is deleted when closed is sent.',
    '200, the whole file',
  ),
  serving(
    'file-block-size',
    'file with block size',
    'A block size may be passed as the second argument.',
    '200, the whole file',
  ),
  serving('file-empty', 'empty file', 'An empty file is an empty body.', '200 OK: ""'),
  serving(
    'file-offset',
    'file at an offset',
    'Sending begins at the file\u2019s position.',
    '200 OK: "qrstuvwxyz"',
  ),
  serving(
    'file-offset-large',
    'file with most of it left',
    'A large file is sent from its position too.',
    '200, its last 179964 bytes',
  ),
  serving(
    'file-offset-later',
    'file moved after wrapping',
    'The position counts when sending begins, not when the file was wrapped.',
    '200 OK: "qrstuvwxyz"',
  ),
  serving(
    'file-offset-buffered',
    'buffered file read in part',
    'The file object\u2019s own position (tell()) counts, even if its buffer has read ' + 'ahead.',
    '200 OK: "qrstuvwxyz"',
    {
      gunicorn: {
        sees: '200 OK: ""',
        weAre: 'conforms',
        why: 'Gunicorn uses the position of the descriptor, which buffering has advanced.',
      },
    },
  ),
  serving(
    'file-written',
    'file growing',
    'Data written to the file before it is returned is sent.',
    '200 OK: "short and more"',
  ),
  serving(
    'file-deleted',
    'deleted file',
    'A file that has been deleted in the meantime is sent.',
    '200, the whole file',
  ),
  serving(
    'file-bytesio',
    'BytesIO',
    'A file-like object in memory is sent.',
    '200, the whole file',
  ),
  serving(
    'file-bytesio-offset',
    'BytesIO at an offset',
    'A file-like object in memory is sent from its position.',
    '200 OK: "qrstuvwxyz"',
  ),
  serving(
    'file-only-read',
    'only read',
    'A file-like object needs no method except read(size).',
    '200 OK: "only read"',
  ),
  serving(
    'file-pipe',
    'pipe',
    'A pipe has a file descriptor but is not a file: it is read to its end.',
    '200 OK: "through a pipe"',
  ),
  serving(
    'file-gzip',
    'gzip',
    'The result of read() is sent, even if fileno() refers to different data, as with a ' +
      'gzip file.',
    '200 OK: "plain"',
    {
      level: 'may',
      gunicorn: {
        sees: '200 OK: "", broken off',
        weAre: 'choice',
        why:
          'The PEP lets a server rely on fileno(), but then the client would get compressed ' +
          'data instead of the plain text.',
      },
    },
  ),
  {
    id: 'file-length',
    section,
    level: 'may',
    rule: 'The server may take the Content-Length from the file.',
    run: async (probe) =>
      framing(await probe.ask('wraps', { headers: [['X-File', 'file at an offset']] })),
    expect: 'Content-Length 10',
    gunicorn: {
      sees: 'chunked',
      weAre: 'choice',
      why:
        'The PEP leaves this open; with a length, clients can show the progress of a ' +
        'download.',
    },
    typescript: {
      sees: 'chunked',
      because: 'choice',
      why:
        'A file-like object in JavaScript has no descriptor and no position; the ' +
        'application can set the length itself.',
    },
  },
  serving(
    'file-length-shorter',
    'file at an offset',
    'No more than the application\u2019s Content-Length is sent.',
    '200 OK: "qrst"',
    { length: 4 },
  ),
  serving(
    'file-length-longer',
    'file at an offset',
    'If a file is shorter than the Content-Length, the connection is closed.',
    '200 OK: "qrstuvwxyz", broken off',
    { length: 40, level: 'should', section: 'Handling the Content-Length Header' },
  ),
  serving(
    'file-length-within',
    'plain file',
    'No more than the Content-Length is sent of a large file either.',
    '200, its first 100000 bytes',
    {
      length: 100_000,
    },
  ),
  {
    id: 'file-closed',
    section,
    level: 'must',
    rule: 'close() of a real file is called, whichever way the file is sent.',
    run: async (probe) => {
      const sent = await serve(probe, 'plain file')
      await probe.settled()
      return `${sent}, ${(await probe.ask('file_was_closed')).text}`
    },
    expect: '200, the whole file, closed',
  },
  {
    id: 'file-closed-once',
    section,
    level: 'must',
    rule: 'close() of a real file is called only once.',
    run: async (probe) => `${await serve(probe, 'noting file')}, ${await probe.closes()}`,
    expect: '200, the whole file, closed once',
  },
  {
    id: 'file-like-closed',
    section,
    level: 'must',
    rule: 'close() of a file-like object is called once.',
    run: async (probe) => `${await serve(probe, 'read and close')}, ${await probe.closes()}`,
    expect: '200 OK: "read and close", closed once',
  },
  {
    id: 'file-head',
    section,
    level: 'must',
    rule: 'In response to HEAD, nothing of the file is sent, and the file is closed.',
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.send(
        probe.request('wraps', {
          method: 'HEAD',
          headers: [
            ['X-File', 'noting file'],
            ['Connection', 'close'],
          ],
        }),
      )
      const response = await connection.readResponse('HEAD')
      const { rest } = await connection.readToEnd()
      connection.close()
      return `${response.status}, ${rest.length} bytes of body, ${await probe.closes()}`
    },
    expect: '200, 0 bytes of body, closed once',
  },
  {
    id: 'file-in-middleware',
    section,
    level: 'must',
    rule:
      'Middleware can iterate over the wrapper and change its chunks; close() reaches the ' +
      'file.',
    run: async (probe) =>
      `${summary(await probe.ask('wraps_and_uppercases'))}, ${await probe.closes()}`,
    expect: '200 OK: "LOWER CASE", closed once',
  },
  {
    id: 'file-not-returned',
    section,
    level: 'must',
    rule:
      'A wrapper that is created but not returned sends nothing and does not touch the ' + 'file.',
    run: async (probe) => summary(await probe.ask('wraps_and_drops')),
    expect: '200 OK: "other body, file at 0"',
  },
  {
    id: 'file-foreign-wrapper',
    section,
    level: 'must',
    rule:
      'An object that merely resembles the server\u2019s wrapper and holds a file is ' +
      'treated as an ordinary iterable.',
    run: async (probe) => summary(await probe.ask('wraps_middleware_file')),
    expect: '200 OK: "from the middleware"',
    gunicorn: {
      sees: '200 OK: 180000 bytes',
      weAre: 'conforms',
      why:
        'Gunicorn looks the wrapper\u2019s class up in environ, where middleware may have ' +
        'put another one.',
    },
  },
]

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { serveHandler } from '../../../tests/support/handler-server.ts'
import {
  ATTACKS,
  BIG,
  PATHS,
  SECRET,
  StaticFolder,
} from '../../../tests/support/static-file-cases.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { Span } from '../../bytes/span.ts'
import { FileStore } from '../../files/file-store.ts'
import type { Reply, RequestHandler, RequestSink } from '../../http/exchange.ts'
import { responseHead } from '../../http/response-head.ts'
import { UNLIMITED_MEMORY } from '../../spool/memory-budget.ts'
import { sendfile } from './sendfile.ts'

let folder: StaticFolder
beforeAll(() => {
  folder = new StaticFolder()
  folder.put('a b.txt', 'with a space')
  folder.put('a%20b.txt', 'with a percent sign')
  folder.put('c:d?.txt', 'with marks')
  symlinkSync(folder.root, join(folder.base, 'link-to-root'))
})
afterAll(() => folder.remove())

interface Given {
  status?: number
  fields?: [string, string][]
  /** Answers by hand instead of at once with an empty body. */
  answer?: (reply: Reply, closed: () => number) => void
}

/** A server whose application answers as the test says. */
async function application(given: Given, roots = [folder.root], redirects = {}) {
  const { status = 200, fields = [] } = given
  const seen = { closed: 0, written: 0, begun: 0 }
  const next: RequestHandler = (_head, reply): RequestSink => ({
    begin: () => void seen.begun++,
    bodyData() {},
    bodyEnd() {
      if (given.answer !== undefined) given.answer(reply, () => seen.closed)
      else reply.respond(responseHead(status, fields), new Span())
    },
    clientEnded() {},
    written: (bytes) => {
      seen.written += bytes
    },
    closed: () => void seen.closed++,
  })
  const said: string[] = []
  const store = new FileStore({ bytes: 1024 * 1024, descriptors: 16, tell: () => {} })
  onTestFinished(() => store.clear())
  const server = await serveHandler(
    sendfile({
      roots,
      redirects,
      store,
      memory: UNLIMITED_MEMORY,
      error: (text) => said.push(text),
      warn: (_kind, text) => said.push(text),
    })(next),
  )
  return { ...server, said, seen, store }
}

async function sent(fields: [string, string][], headers: [string, string][] = [], status = 200) {
  const redirects = { '/protected': folder.root, '/protected/docs2': join(folder.root, 'docs') }
  const server = await application({ fields, status }, [folder.root], redirects)
  return { answer: await server.ask({ target: '/', headers }), said: server.said }
}

const inRoot = (name: string) => join(folder.root, name)

test('the file takes the place of the body, and other fields stay', async () => {
  const { answer } = await sent([
    ['Content-Type', 'application/x-mine'],
    ['X-Sendfile', inRoot('page.html')],
    ['Content-Disposition', 'attachment; filename="x"'],
    ['Set-Cookie', 'a=b'],
    ['Set-Cookie', 'c=d'],
    ['Cache-Control', 'private'],
    ['Content-Security-Policy', "default-src 'self'"],
    ['ETag', '"of the application"'],
    ['Last-Modified', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ['Content-Length', '0'],
    ['Content-Encoding', 'gzip'],
    ['X-Accel-Buffering', 'no'],
  ])
  expect([answer.status, answer.body]).toEqual(['200 OK', '<h1>page</h1>'])
  const names = answer.headers.map(([name]) => name)
  expect(names.toSorted()).toEqual([
    'Accept-Ranges',
    'Cache-Control',
    'Content-Disposition',
    'Content-Length',
    'Content-Security-Policy',
    'Content-Type',
    'ETag',
    'Last-Modified',
    'Set-Cookie',
    'Set-Cookie',
  ])
  expect(answer.header('Content-Type')).toBe('application/x-mine')
  expect(answer.header('Content-Length')).toBe('13')
  expect(answer.header('ETag')).not.toBe('"of the application"')
})

test('without a Content-Type, it is that of the name', async () => {
  const { answer } = await sent([['x-sendfile', inRoot('data.json')]])
  expect(answer.header('Content-Type')).toBe('application/json; charset=utf-8')
})

test.each([
  ['X-Sendfile', 'a b.txt', 'with a space'],
  ['X-Sendfile', 'a%20b.txt', 'with a percent sign'],
  ['X-Sendfile', 'page%2ehtml', '<h1>page</h1>'],
  ['X-Sendfile', 'caf\u00c3\u00a9.txt', 'coffee'],
  ['X-Sendfile', 'c:d?.txt', 'with marks'],
  ['X-Sendfile', '.env', SECRET],
  ['X-Sendfile', 'docs/../page.html', '<h1>page</h1>'],
  ['X-Sendfile', 'inside.html', '<h1>page</h1>'],
  ['X-Accel-Redirect', 'a%20b.txt', 'with a space'],
  ['X-Accel-Redirect', 'a%2520b.txt', 'with a percent sign'],
  ['X-Accel-Redirect', 'c:d%3f.txt?x=y', 'with marks'],
  ['X-Accel-Redirect', 'docs2/index.html', 'docs'],
])('%s: …/%s is the file', async (field, name, body) => {
  const path = field === 'X-Sendfile' ? `${folder.root}/${name}` : `/protected/${name}`
  const { answer, said } = await sent([[field, path]])
  expect([answer.status, answer.body, said]).toEqual(['200 OK', body, []])
})

// An application looks for slashes in names that it has from clients, and sees none here.
test.each(['docs2/..%2fpage.html', 'docs2/%2e%2e/page.html', 'docs2%2Findex.html'])(
  'X-Sendfile: …/%s is no file of another folder',
  async (name) => {
    const { answer } = await sent([['X-Sendfile', `${folder.root}/${name}`]])
    expect(answer.status).toBe('404 Not Found')
  },
)

test('the folder may be known by a link to it', async () => {
  const link = join(folder.base, 'link-to-root')
  for (const path of [join(link, 'page.html'), inRoot('page.html')]) {
    const server = await application({ fields: [['X-Sendfile', path]] }, [link])
    expect((await server.ask({ target: '/' })).body).toBe('<h1>page</h1>')
  }
})

test.each([
  ['X-Sendfile', '/etc/passwd'],
  ['X-Sendfile', 'page.html'],
  ['X-Sendfile', ''],
  ['X-Accel-Redirect', '/etc/passwd'],
  ['X-Accel-Redirect', '/protectedx/page.html'],
  ['X-Accel-Redirect', '/protected/../page.html'],
  ['X-Accel-Redirect', '/protected/%2e%2e/page.html'],
  ['X-Accel-Redirect', '/protected/docs2/../page.html'],
  ['X-Accel-Redirect', '/protected/docs2%2F..%2fpage.html'],
  ['X-Accel-Redirect', '@named'],
])('%s: %s is not declared: 500, and the log says so', async (field, value) => {
  const { answer, said } = await sent([
    [field, value],
    ['Set-Cookie', 'a=b'],
  ])
  expect(answer.status).toBe('500 Internal Server Error')
  expect(answer.header('Set-Cookie')).toBeUndefined()
  expect(answer.header(field)).toBeUndefined()
  expect(said).toEqual([
    expect.stringMatching(new RegExp(`^${field} in the answer to .* is not.* \\[MONO4042\\]$`)),
  ])
})

test.each(['none.txt', 'docs', 'fifo', 'link.txt', 'up/secret.txt'])(
  '%s is no file of the folder: 404',
  async (name) => {
    for (const field of [
      ['X-Sendfile', inRoot(name)],
      ['X-Accel-Redirect', `/protected/${name}`],
    ] as [string, string][]) {
      const { answer, said } = await sent([field])
      expect(answer.status).toBe('404 Not Found')
      expect(answer.body).not.toContain('SECRET')
      expect(said).toEqual([expect.stringMatching(/^Answering 404 for .* \[MONO4041\]$/)])
    }
  },
)

test('nothing outside of the folders is sent, whatever the value is', async () => {
  const docs = join(folder.root, 'docs')
  let value: [string, string] = ['', '']
  const server = await application(
    { answer: (reply) => reply.respond(responseHead(200, [value]), new Span()) },
    [docs],
    { '/protected': docs },
  )
  const check = async (path: string) => {
    const view = Buffer.from(path).toString('latin1')
    for (const [field, prefix] of [
      ['X-Sendfile', ''],
      ['X-Sendfile', docs],
      ['X-Accel-Redirect', ''],
      ['X-Accel-Redirect', '/protected'],
    ] as const) {
      // A field has no control characters, and no space at its end.
      value = [field, `${prefix}${view}`.replace(/\p{Cc}|\s+$/gu, '')]
      const answer = await server.ask({ target: '/' })
      expect(answer.status).toMatch(/^(?:200|404|500) /)
      expect(answer.body).not.toMatch(/root:[^:]*:0:0:|SECRET|<h1>/)
    }
  }
  for (const path of ATTACKS) await check(path)
  await fc.assert(fc.asyncProperty(PATHS, check), { numRuns: 100 })
})

test('ranges and conditions work, if the status is 200', async () => {
  const field: [string, string][] = [['X-Sendfile', inRoot('digits.txt')]]
  const part = await sent(field, [['Range', 'bytes=2-4']])
  expect([part.answer.status, part.answer.body]).toEqual(['206 Partial Content', '234'])
  const tag = part.answer.header('ETag')!
  const same = await sent([...field, ['Set-Cookie', 'a=b']], [['If-None-Match', tag]])
  expect([same.answer.status, same.answer.header('Set-Cookie')]).toEqual([
    '304 Not Modified',
    'a=b',
  ])
  expect((await sent(field, [['If-Match', '"other"']])).answer.status).toMatch(/^412 /)
  expect((await sent(field, [['Range', 'bytes=99-']])).answer.status).toMatch(/^416 /)
  const denied = await sent(field, [['Range', 'bytes=2-4']], 403)
  expect([denied.answer.status, denied.answer.body]).toEqual(['403 Forbidden', '0123456789'])
})

test('a range that the application has answered itself is the range of the file', async () => {
  const fields: [string, string][] = [
    ['X-Sendfile', inRoot('digits.txt')],
    ['Content-Range', 'bytes 2-4/10'],
    ['Content-Length', '3'],
  ]
  const part = await sent(fields, [['Range', 'bytes=2-4']], 206)
  expect([part.answer.status, part.answer.body]).toEqual(['206 Partial Content', '234'])
  expect(part.answer.header('Content-Range')).toBe('bytes 2-4/10')
  // It has believed an If-Range that is not for what is sent.
  const other = await sent(
    [...fields, ['Content-Type', 'multipart/byteranges; boundary=x']],
    [
      ['Range', 'bytes=2-4'],
      ['If-Range', '"other"'],
    ],
    206,
  )
  expect([other.answer.status, other.answer.body]).toEqual(['200 OK', '0123456789'])
  expect(other.answer.header('Content-Range')).toBeUndefined()
  expect(other.answer.header('Content-Type')).toBe('text/plain; charset=utf-8')
})

test('HEAD, POST and a status without a body', async () => {
  const fields: [string, string][] = [['X-Sendfile', inRoot('digits.txt')]]
  const server = await application({ fields })
  const head = await server.ask({ method: 'HEAD', target: '/' })
  expect([head.status, head.header('Content-Length'), head.body]).toEqual(['200 OK', '10', ''])
  expect((await server.ask({ method: 'POST', target: '/' })).body).toBe('0123456789')
  for (const status of [204, 304]) {
    const { answer } = await sent([...fields, ['X-Other', 'y']], [], status)
    expect([answer.status.slice(0, 3), answer.body]).toEqual([String(status), ''])
    expect([answer.header('X-Sendfile'), answer.header('X-Other')]).toEqual([undefined, 'y'])
  }
})

test('a field that is not configured passes, and so does a response without one', async () => {
  const redirect: [string, string] = ['X-Accel-Redirect', '/protected/page.html']
  const server = await application({ fields: [redirect] })
  const passed = await server.ask({ target: '/' })
  expect([passed.status, passed.header('X-Accel-Redirect')]).toEqual([
    '200 OK',
    '/protected/page.html',
  ])
  const other = await application({ fields: [['X-Sendfile', '/x']] }, [], { '/p': folder.root })
  expect((await other.ask({ target: '/' })).header('X-Sendfile')).toBe('/x')
})

test('a body beside the field is dropped as fast as it comes', async () => {
  const piece = Buffer.alloc(100_000, 'x')
  const server = await application({
    answer: (reply) => {
      const span = new Span()
      reply.start(
        responseHead(200, [['X-Sendfile', inRoot('big.bin')]]),
        span.set(piece, 0, piece.length),
      )
      for (let i = 0; i < 4; i++) reply.data(span.set(piece, 0, piece.length))
      reply.finish()
    },
  })
  const answer = await server.ask({ target: '/' })
  expect(answer.body).toBe(BIG.toString('latin1'))
  expect(server.seen.written).toBe(500_000)
  await waitFor('the end of the exchange', () => server.seen.closed === 1)
})

test('a body without an end is cancelled', async () => {
  const piece = Buffer.alloc(100_000, 'x')
  const server = await application({
    answer: (reply, closed) => {
      const span = new Span()
      reply.start(responseHead(200, [['X-Sendfile', inRoot('big.bin')]]))
      const more = () => {
        if (closed() > 0) return
        reply.data(span.set(piece, 0, piece.length))
        setImmediate(more)
      }
      more()
    },
  })
  const answer = await server.ask({ target: '/' })
  expect([answer.complete, answer.body.length]).toEqual([true, BIG.length])
  await waitFor('the end of the exchange', () => server.seen.closed === 1)
  expect(server.seen.written).toBeLessThan(2_000_000)
})

test('an application that breaks off after the field has its file sent all the same', async () => {
  const server = await application({
    answer: (reply) => {
      reply.start(responseHead(200, [['X-Sendfile', inRoot('page.html')]]))
      reply.abort()
    },
  })
  expect((await server.ask({ target: '/' })).body).toBe('<h1>page</h1>')
})

test('a folder that is named like another one is another one', async () => {
  mkdirSync(`${folder.root}2`, { recursive: true })
  writeFileSync(`${folder.root}2/x.txt`, SECRET)
  const { answer } = await sent([['X-Sendfile', `${folder.root}2/x.txt`]])
  expect(answer.status).toMatch(/^500 /)
})

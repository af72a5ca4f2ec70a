import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { errorStream } from '../wsgi/error-stream.ts'
import { readChunks } from '../wsgi/input-stream.ts'
import type { WSGIApplication, WSGIEnvironment } from '../wsgi/types.ts'
import { toFetchHandler } from './to-fetch-handler.ts'

const encoder = new TextEncoder()
const PIECE = new Uint8Array(16 * 1024)

/** An application that gives pieces for ever, and counts. */
function endless() {
  const seen = { produced: 0, closed: 0 }
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [])
    const pieces = (function* () {
      for (;;) {
        seen.produced++
        yield PIECE
      }
    })()
    return { [Symbol.iterator]: () => pieces, close: () => void seen.closed++ }
  }
  return { app, seen }
}

function log() {
  const said: string[] = []
  return { said, errors: errorStream((text) => said.push(text)) }
}

/** The environ that a request becomes. */
async function environOf(
  request: Request,
  options: Parameters<typeof toFetchHandler>[1] = {},
): Promise<WSGIEnvironment> {
  let environ: WSGIEnvironment | undefined
  const handler = toFetchHandler((given, startResponse) => {
    environ = given
    startResponse('200 OK', [])
    return []
  }, options)
  await handler(request)
  return environ!
}

test('nothing of Node.js is imported or used, neither here nor further on', () => {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    const source = readFileSync(file, 'utf8')
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    expect([file, code.match(/\b(?:Buffer|process|require|setImmediate|__dirname)\b/g)]).toEqual([
      file,
      null,
    ])
    for (const [, name] of code.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      expect([file, name]).toEqual([file, expect.stringMatching(/^\.\.?\//)])
      visit(resolve(dirname(file), name!))
    }
  }
  for (const name of ['to-fetch-handler.ts', 'from-fetch-handler.ts']) {
    visit(fileURLToPath(new URL(name, import.meta.url)))
  }
  expect([...seen].some((file) => file.endsWith('/wsgi/call.ts'))).toBe(true)
})

test('the environ says what the request does', async () => {
  const request = new Request('https://shop.example:81/a%20b/c?d=%20#e', {
    method: 'PUT',
    headers: {
      'X-Bytes': '\u00e9',
      Cookie: 'a=1',
      X_Real_IP: 'forged',
      'Content-Type': 'text/plain',
    },
    body: 'hello',
  })
  const environ = await environOf(request, {
    scriptName: '/a b',
    remoteAddress: () => '192.0.2.1',
  })
  expect(environ).toMatchObject({
    REQUEST_METHOD: 'PUT',
    SCRIPT_NAME: '/a b',
    PATH_INFO: '/c',
    QUERY_STRING: 'd=%20',
    CONTENT_TYPE: 'text/plain',
    SERVER_NAME: 'shop.example',
    SERVER_PORT: '81',
    REMOTE_ADDR: '192.0.2.1',
    HTTP_HOST: 'shop.example:81',
    HTTP_X_BYTES: '\u00e9',
    HTTP_COOKIE: 'a=1',
    'wsgi.url_scheme': 'https',
  })
  expect(environ).not.toHaveProperty('HTTP_X_REAL_IP')
})

test('remoteAddress gets what the handler was called with', async () => {
  const handler = toFetchHandler<[{ ip: string }]>(
    (environ, startResponse) => {
      startResponse('200 OK', [])
      return [encoder.encode(environ.REMOTE_ADDR)]
    },
    { remoteAddress: (_request, info) => info.ip },
  )
  expect(await (await handler(new Request('http://a/'), { ip: '192.0.2.7' })).text()).toBe(
    '192.0.2.7',
  )
})

test('headers that contradict themselves are refused, a path outside of the mount is 404', async () => {
  const { app } = endless()
  const handler = toFetchHandler(app, { scriptName: '/shop' })
  for (const headers of [{ Host: 'a, b' }, { 'Content-Length': '5, 5' }]) {
    expect((await handler(new Request('http://a/shop', { headers } as RequestInit))).status).toBe(
      400,
    )
  }
  expect((await handler(new Request('http://a/shopping'))).status).toBe(404)
})

test('a whole body has its length, statuses without a body have none, and cookies are several', async () => {
  const answer = (status: string, method = 'GET') => {
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse(status, [
        ['Set-Cookie', 'a'],
        ['Set-Cookie', 'b'],
      ])
      return [encoder.encode('hello')]
    }
    return toFetchHandler(app)(new Request('http://a/', { method }))
  }
  const whole = await answer('200 Fine')
  expect([whole.statusText, whole.headers.get('content-length'), await whole.text()]).toEqual([
    'Fine',
    '5',
    'hello',
  ])
  expect(whole.headers.getSetCookie()).toEqual(['a', 'b'])
  for (const status of ['204 No Content', '205 Reset Content', '304 Not Modified']) {
    const response = await answer(status)
    expect([response.status, response.body, response.headers.get('content-length')]).toEqual([
      Number.parseInt(status, 10),
      null,
      null,
    ])
  }
  const head = await answer('200 OK', 'HEAD')
  expect([head.headers.get('content-length'), head.body]).toEqual(['5', null])
})

test('a body is made no faster than it is read, and cancelling it closes it once', async () => {
  const { app, seen } = endless()
  const response = await toFetchHandler(app)(new Request('http://a/'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen.produced).toBeLessThanOrEqual(6)
  const reader = response.body!.getReader()
  for (let i = 0; i < 100; i++) await reader.read()
  expect(seen.produced).toBeLessThanOrEqual(106)
  expect(seen.closed).toBe(0)
  await reader.cancel()
  expect(seen.closed).toBe(1)
  const { produced } = seen
  await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual({ produced, closed: 1 })
})

test('an aborted signal closes the body and breaks it off, before the answer and behind its head', async () => {
  const { app, seen } = endless()
  const abort = new AbortController()
  const response = await toFetchHandler(app)(new Request('http://a/', { signal: abort.signal }))
  abort.abort(new Error('gone'))
  expect(seen.closed).toBe(1)
  await expect(response.text()).rejects.toThrow('gone')

  const waiting = new AbortController()
  const { said, errors } = log()
  const pending = toFetchHandler(() => new Promise(() => {}), { errors })(
    new Request('http://a/', { signal: waiting.signal }),
  )
  waiting.abort()
  expect((await pending).status).toBe(499)
  expect(said).toEqual([])
})

test('a reader that cancels when the signal aborts, as servers do, sees no error', async () => {
  const { app, seen } = endless()
  const abort = new AbortController()
  const response = await toFetchHandler(app)(new Request('http://a/', { signal: abort.signal }))
  const reader = response.body!.getReader()
  await reader.read()
  let failure: unknown
  reader.closed.catch((error) => {
    failure = error
  })
  abort.abort(new Error('the client has left'))
  await reader.cancel()
  await reader.closed
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect({ failure, closed: seen.closed }).toEqual({ failure: undefined, closed: 1 })
})

test('the request is read no faster than the application reads, and what is unread is cancelled', async () => {
  let pulled = 0
  let cancelled = 0
  const body = () =>
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled++
          if (pulled === 50) controller.close()
          else controller.enqueue(PIECE)
        },
        cancel: () => void cancelled++,
      },
      { highWaterMark: 0 },
    )
  const reader =
    (pieces: number): WSGIApplication =>
    async (environ, startResponse) => {
      let read = 0
      for await (const piece of readChunks(environ['wsgi.input'])) {
        read += piece.length
        if (--pieces === 0) break
      }
      startResponse('200 OK', [])
      return [encoder.encode(String(read))]
    }
  const post = () =>
    new Request('http://a/', { method: 'POST', body: body(), duplex: 'half' } as RequestInit)
  const some = await toFetchHandler(reader(3))(post())
  expect(await some.text()).toBe(String(3 * PIECE.length))
  expect(pulled).toBeLessThanOrEqual(4)
  await waitFor('the cancel', () => cancelled === 1)
  pulled = 0
  const all = await toFetchHandler(reader(1000))(post())
  expect(await all.text()).toBe(String(49 * PIECE.length))
})

test('a body that fails, or that was read before, is an error to who reads it', async () => {
  const echo: WSGIApplication = async (environ, startResponse) => {
    const body = await environ['wsgi.input'].read()
    startResponse('200 OK', [])
    return [body]
  }
  const { said, errors } = log()
  const handler = toFetchHandler(echo, { errors })
  const used = new Request('http://a/', { method: 'POST', body: 'x' })
  await used.text()
  expect((await handler(used)).status).toBe(500)
  expect(said[0]).toContain(
    'was read before the application could read it: call the application before',
  )
  const failing = new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) })
  const request = new Request('http://a/', {
    method: 'POST',
    body: failing,
    duplex: 'half',
  } as RequestInit)
  expect((await handler(request)).status).toBe(500)
  expect(said[1]).toContain('ended early: cut')
})

test('an error is 500 and logged; with passErrors it rejects; behind the head it breaks the body off', async () => {
  const failing: WSGIApplication = () => {
    throw new Error('on purpose')
  }
  const { said, errors } = log()
  const response = await toFetchHandler(failing, { errors })(new Request('http://a/x'))
  expect([response.status, await response.text()]).toEqual([500, 'Internal Server Error\n'])
  expect(said.join('')).toMatch(/Error while answering GET http:\/\/a\/x: Error: on purpose\n +at /)
  await expect(
    toFetchHandler(failing, { passErrors: true })(new Request('http://a/')),
  ).rejects.toThrow('on purpose')
  const late: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [])
    return (function* () {
      yield PIECE
      throw new Error('late')
    })()
  }
  const broken = await toFetchHandler(late, { errors })(new Request('http://a/'))
  await expect(broken.text()).rejects.toThrow('late')
  const beyond: WSGIApplication = (_environ, startResponse) => {
    startResponse('700 Beyond', [])
    return []
  }
  expect((await toFetchHandler(beyond, { errors })(new Request('http://a/'))).status).toBe(500)
  expect(said.at(-1)).toContain('use one up to 599')
})

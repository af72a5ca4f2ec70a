/**
 * Whatever of ours calls an application, does so rightly: servers, adapters and the test client,
 * before a validated application.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fromFetchHandler } from '../../src/adapters/from-fetch-handler.ts'
import { fromNodeHandler } from '../../src/adapters/from-node-handler.ts'
import { toFetchHandler } from '../../src/adapters/to-fetch-handler.ts'
import { toNodeHandler } from '../../src/adapters/to-node-handler.ts'
import { makeServer } from '../../src/reference-server/make-server.ts'
import { testClient } from '../../src/testing/test-client.ts'
import { errorStream } from '../../src/wsgi/error-stream.ts'
import type {
  ErrorStream,
  StartResponse,
  WSGIApplication,
  WSGIEnvironment,
} from '../../src/wsgi/types.ts'
import { validator } from '../../src/wsgi/validator.ts'
import { environOf } from '../support/call-application.ts'
import { garbageCollector } from '../support/garbage.ts'
import { waitFor } from '../support/wait-for.ts'

const collectGarbage = garbageCollector()
const bytes = (text: string) => new TextEncoder().encode(text)
const TEXT: [string, string][] = [['Content-Type', 'text/plain']]

/** Reads its request in all ways, by the path, and answers in all ways. */
async function* echo(environ: WSGIEnvironment, startResponse: StartResponse) {
  startResponse('200 OK', TEXT)
  yield bytes(`${environ.REQUEST_METHOD} `)
  for await (const line of environ['wsgi.input']) yield line
}
const app: WSGIApplication = async (environ, startResponse) => {
  const input = environ['wsgi.input']
  environ['wsgi.errors'].write('seen\n')
  switch (environ.PATH_INFO) {
    case '/echo':
      return echo(environ, startResponse)
    case '/pieces': {
      const write = startResponse('200 OK', TEXT)
      for (let piece = await input.read(3); piece.length > 0; piece = await input.read(3))
        await write(piece)
      return []
    }
    case '/lines':
      startResponse('200 OK', TEXT)
      return [await input.readline(2), ...(await input.readlines())]
    case '/none':
      startResponse('204 No Content', [])
      return []
    case '/endless':
      return (async function* () {
        startResponse('200 OK', TEXT)
        for (;;) {
          yield bytes('x'.repeat(10_000))
          await new Promise(setImmediate)
        }
      })()
    default:
      startResponse('200 OK', [...TEXT, ['Content-Length', '2']])
      return [bytes('a'), bytes('b')]
  }
}

/** Starts something that serves an application, and gives its URL or a `fetch` of its own. */
type Start = (
  app: WSGIApplication,
  errors: ErrorStream,
) => Promise<(path: string, init?: RequestInit) => Promise<Response>>

const servers: Record<string, Start> = {
  'the reference server': async (served, errors) => {
    const httpd = makeServer('127.0.0.1', 0, served, { log: false, errors })
    const serving = httpd.serveForever()
    const { url } = await httpd.listening
    onTestFinished(async () => {
      await httpd.shutdown()
      await serving
    })
    return (path, init) => fetch(url + path, init)
  },
  'a handler of node:http': async (served, errors) => {
    const server = createServer(toNodeHandler(served, { errors })).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return (path, init) =>
      fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init)
  },
  'a fetch handler': async (served, errors) => {
    const handler = toFetchHandler(served, { errors })
    return (path, init) => handler(new Request(`http://localhost${path}`, init))
  },
}

describe.each(Object.entries(servers))('%s', (_, start) => {
  test('keeps to the contract', async () => {
    const told: string[] = []
    const errors = errorStream((text) => void told.push(text))
    const get = await start(validator(app), errors)
    const text = async (path: string, init?: RequestInit) => (await get(path, init)).text()
    const body = 'one\ntwo\nthree'

    expect(await text('/')).toBe('ab')
    expect(await text('//a%2Fb/%C3%A9?c=%20&d')).toBe('ab')
    expect((await get('/none')).status).toBe(204)
    expect(await text('/', { method: 'HEAD' })).toBe('')
    expect(await text('/echo')).toBe('GET ')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      expect(await text('/echo', { method, body })).toBe(`${method} ${body}`)
    }
    expect(await text('/pieces', { method: 'POST', body })).toBe(body)
    expect(await text('/lines', { method: 'POST', body })).toBe(body)
    const streamed = {
      method: 'POST',
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit
    expect(await text('/pieces', streamed)).toBe(body)
    const endless = await get('/endless')
    const reader = endless.body!.getReader()
    await reader.read()
    await reader.cancel()

    // What it has forgotten to close is told of before this one.
    const last = environOf({ target: '/last', errors })
    ;(() => void validator(() => [])(last, () => () => Promise.resolve()))()
    await waitFor('the garbage collector', () => {
      collectGarbage()
      return told.some((line) => line.includes('/last'))
    })
    expect(told.filter((line) => line !== 'seen\n' && !line.includes('/last'))).toEqual([])
    expect(told.filter((line) => line === 'seen\n').length).toBeGreaterThan(10)
  })
})

test('the test client keeps to the contract', async () => {
  const client = testClient(validator(app))
  expect((await client.get('/')).status).toBe(200)
  expect((await client.get('/none')).status).toBe(204)
  expect(await (await client.head('/')).text()).toBe('')
  expect(await (await client.post('/echo', { body: 'one\ntwo' })).text()).toBe('POST one\ntwo')
  expect(await (await client.post('/pieces', { json: { a: 1 } })).text()).toBe('{"a":1}')
  const endless = await client.get('/endless')
  await endless.close()
})

test('handlers of node:http and of fetch are right applications', async () => {
  const applications = [
    fromNodeHandler((request, response) => {
      response.setHeader('Content-Type', 'text/plain')
      request.pipe(response)
    }),
    fromFetchHandler(
      async (request) => new Response(request.body, { headers: { 'Content-Type': 'text/plain' } }),
    ),
  ]
  for (const application of applications) {
    const client = testClient(validator(application))
    const body = 'some text '.repeat(10_000)
    expect(await (await client.post('/', { body })).text()).toBe(body)
    expect((await client.head('/')).status).toBe(200)
    const left = await client.post('/', { body })
    await left.close()
  }
})

import { expect, test } from 'vitest'
import { testClient } from '../testing/test-client.ts'
import type { ResponseHeaders, WSGIApplication } from '../wsgi/types.ts'
import { withClient } from './client-script.ts'

const PAGE = '<h1>Hello</h1>'
const ELEMENT = '\n<script type="module" src="/@vite/client"></script>\n'

function site(status: string, headers: ResponseHeaders): WSGIApplication {
  return (_environ, startResponse) => {
    startResponse(status, headers)
    return [new TextEncoder().encode(PAGE)]
  }
}

async function bodyOf(
  status: string,
  headers: ResponseHeaders,
  request: Record<string, string> = { accept: 'text/html' },
): Promise<string> {
  const client = testClient(withClient('/@vite/client')(site(status, headers)))
  return (await client.get('/', { headers: request })).text()
}

const html: ResponseHeaders = [['Content-Type', 'text/html; charset=utf-8']]

test('a page gets the client, its length with it, and is not kept in caches', async () => {
  const headers: ResponseHeaders = [
    ...html,
    ['Content-Length', String(PAGE.length)],
    ['ETag', '"1"'],
    ['Cache-Control', 'max-age=60'],
  ]
  const client = testClient(withClient('/@vite/client')(site('200 OK', headers)))
  const response = await client.get('/', { headers: { accept: 'text/html' } })
  expect(await response.text()).toBe(PAGE + ELEMENT)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'Content-Length': String(PAGE.length + ELEMENT.length),
    'Cache-Control': 'no-store',
  })
  expect(response.headers.get('etag')).toBeUndefined()
  const head = await client.head('/', { headers: { accept: 'text/html' } })
  expect(head.headers.get('content-length')).toBe(String(PAGE.length + ELEMENT.length))
})

test("the page's policy gives its nonce to the element", async () => {
  const policy: ResponseHeaders = [
    ...html,
    ['Content-Security-Policy', "script-src 'nonce-abc123='"],
  ]
  expect(await bodyOf('200 OK', policy)).toContain('src="/@vite/client" nonce="abc123="></script>')
})

test.each([
  ['200 OK', [['Content-Type', 'application/json']], {}],
  ['200 OK', [...html, ['Content-Encoding', 'br']], {}],
  ['200 OK', [...html, ['Content-Disposition', 'attachment; filename=a.html']], {}],
  ['302 Found', [...html, ['Location', '/']], {}],
  ['206 Partial Content', html, {}],
  ['200 OK', html, { accept: '*/*' }],
  ['200 OK', html, { accept: 'text/html', 'sec-fetch-dest': 'empty' }],
  ['200 OK', html, { accept: 'text/html', 'hx-request': 'true' }],
] as [string, ResponseHeaders, Record<string, string>][])(
  'what is no page stays as it is: %s %j %j',
  async (status, headers, request) => {
    const sent = { accept: 'text/html', ...request }
    expect(await bodyOf(status, headers, sent)).toBe(PAGE)
  },
)

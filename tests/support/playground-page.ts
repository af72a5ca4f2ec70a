import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { buildPlayground } from '../../site/playground/build.mjs'
import { temporaryDirectory } from './applications.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

const POLICY = [
  "default-src 'none'",
  "style-src-elem 'self'",
  // CodeMirror sets tab-size so.
  "style-src-attr 'unsafe-inline'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
]
/** Only the worker that links the reader's modules may load a blob. */
const BLOBS = "script-src 'self' 'wasm-unsafe-eval' blob:"
const NO_BLOBS = "script-src 'self' 'wasm-unsafe-eval'"

const BOOT = `import { mountStep } from '/playground/playground.js'
const query = new URLSearchParams(location.search)
const language = query.get('language') ?? 'python'
if (query.has('dark')) document.documentElement.className = 'dark'
for (const step of (query.get('steps') ?? '1').split(',')) {
  const place = document.createElement('div')
  document.querySelector('main').append(place)
  mountStep(place, { step: Number(step), language, errors: '/errors/' })
}
`
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta name="viewport" content="width=device-width">
<title>Playground</title>
<link rel="stylesheet" href="/page.css">
<link rel="stylesheet" href="/playground/playground.css">
</head>
<body><main><h1>Playground</h1></main><script type="module" src="/boot.js"></script></body>
</html>
`
const STYLE = `body { font-family: sans-serif; margin: 0 auto; max-width: 760px; padding: 8px }
* { box-sizing: border-box }
.dark { --vp-c-bg: #1b1b1f; --vp-c-bg-soft: #202127; --vp-c-divider: #2e2e32;
  --vp-c-text-1: #dfdfd6; --vp-c-text-2: #b0b0b8; --vp-c-brand-1: #a8b1ff;
  background: #1b1b1f; color: #dfdfd6 }
`

/**
 * Serves the playground on a page that has nothing else: `/?steps=1,2&language=python&dark`, with a
 * strict Content-Security-Policy. Requests for anything else are kept in `strange`.
 */
export async function servePlayground(): Promise<{
  url: string
  strange: string[]
  close(): Promise<void>
}> {
  const folder = temporaryDirectory()
  await buildPlayground(join(folder.path, 'playground'))
  const strange: string[] = []
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost')
    const scripts = pathname.endsWith('/typescript-worker.js') ? BLOBS : NO_BLOBS
    response.setHeader('Content-Security-Policy', [...POLICY, scripts].join('; '))
    const answer = (type: string, body: string | Buffer) => {
      response.setHeader('Content-Type', type)
      response.end(body)
    }
    if (pathname === '/') return answer('text/html; charset=utf-8', PAGE)
    if (pathname === '/boot.js') return answer('text/javascript', BOOT)
    if (pathname === '/page.css') return answer('text/css', STYLE)
    try {
      const type = TYPES[extname(pathname)] ?? 'application/octet-stream'
      answer(type, readFileSync(join(folder.path, pathname)))
    } catch {
      if (pathname !== '/favicon.ico') strange.push(pathname)
      response.statusCode = 404
      response.end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    strange,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      folder.remove()
    },
  }
}

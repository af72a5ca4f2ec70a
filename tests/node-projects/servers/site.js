// What shop.py is, as an application in JavaScript.
import { createHash } from 'node:crypto'
import { readChunks } from 'monoceros'

const TITLE = 'Shop one'
let closed = 0

/** @type {import('monoceros').WSGIFunction} */
export const app = async (environ, startResponse) => {
  const { REQUEST_METHOD: method, SCRIPT_NAME: mount, PATH_INFO: path } = environ
  const respond = (status, type, body, headers = []) => {
    startResponse(status, [['Content-Type', type], ...headers])
    return [new TextEncoder().encode(body)]
  }
  const redirect = (to, headers = []) =>
    respond('302 Found', 'text/plain', '', [['Location', mount + to], ...headers])
  const page = (name) =>
    respond(
      '200 OK',
      'text/html; charset=utf-8',
      `<!doctype html>
<title>${TITLE}</title>
<h1>${TITLE}</h1>
<p id="name">${name.replace(/[&<]/g, (c) => `&#${c.charCodeAt(0)};`)}</p>
<a href="${mount}/signed">signed</a>
<form method="post" action="${mount}/sign">
<input name="name"><button>Sign</button>
</form>
`,
    )
  const session = /(?:^|; )site=([^;]*)/.exec(environ.HTTP_COOKIE ?? '')?.[1]

  switch (`${method} ${path}`) {
    case 'GET ':
    case 'GET /':
      return page('nobody')
    case 'GET /signed':
      return page(session === undefined ? 'nobody' : decodeURIComponent(session))
    case 'GET /old':
      return redirect('/old/')
    case 'GET /old/':
      return redirect('/signed')
    case 'POST /sign': {
      const body = await readAll(environ)
      const name = new URLSearchParams(body.toString()).get('name') ?? ''
      return redirect('/signed', [['Set-Cookie', `site=${encodeURIComponent(name)}; Path=/`]])
    }
    case 'POST /upload': {
      const hash = createHash('sha256')
      let length = 0
      for await (const chunk of readChunks(environ['wsgi.input'])) {
        hash.update(chunk)
        length += chunk.length
      }
      return respond(
        '200 OK',
        'application/json',
        JSON.stringify({ length, sha256: hash.digest('hex') }),
      )
    }
    case 'GET /stream':
      startResponse('200 OK', [['Content-Type', 'text/plain']])
      return ticks()
    case 'GET /closed':
      return respond('200 OK', 'application/json', JSON.stringify({ closed }))
    case 'GET /broken':
      throw new Error('broken on purpose')
    default:
      return respond('404 Not Found', 'text/plain', 'Not Found\n')
  }
}

async function* ticks() {
  try {
    for (let count = 0; count < 600; count++) {
      yield new TextEncoder().encode(`tick ${count}\n`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  } finally {
    closed++
  }
}

async function readAll(environ) {
  const chunks = []
  for await (const chunk of readChunks(environ['wsgi.input'])) chunks.push(chunk)
  return Buffer.concat(chunks)
}

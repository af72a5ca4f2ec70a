import { scrypt, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { jwtVerify, SignJWT } from 'jose'
import { type Middleware, type StartResponse, toFunction, type WSGIEnvironment } from 'monoceros'

export interface LoginOptions {
  /** Signs the cookies: at least 32 characters, the same in all processes. */
  readonly secret: string
  /** The path of a JSON file, `{ "NAME": "HASH" }`, as add-user.js writes it. */
  readonly users: string
}

const HOURS = 8
const PAGE = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Log in</title></head>
  <body>
    <h1>Log in</h1>
    <form method="post">
      <p><label>Name <input name="name" autocomplete="username" required></label></p>
      <p><label>Password
        <input name="password" type="password" autocomplete="current-password" required></label></p>
      <button type="submit">Log in</button>
    </form>
    <!-- message -->
  </body>
</html>
`

/**
 * A middleware that lets only those in who have logged in. The application finds the name in
 * `REMOTE_USER`, as behind any server with authentication. /login and /logout are its own.
 */
export function login({ secret, users }: LoginOptions): Middleware {
  if (secret.length < 32)
    throw new Error('Set SESSION_SECRET to a random text of at least 32 characters: see README.md')
  const key = new TextEncoder().encode(secret)

  async function userOf(environ: WSGIEnvironment): Promise<string | undefined> {
    const token = /(?:^|; )session=([\w.-]+)/.exec(environ.HTTP_COOKIE ?? '')?.[1]
    if (token === undefined) return undefined
    try {
      const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'] })
      return payload.sub
    } catch {
      return undefined
    }
  }

  async function logIn(environ: WSGIEnvironment, startResponse: StartResponse) {
    const form = new URLSearchParams(
      new TextDecoder().decode(await environ['wsgi.input'].read(4096)),
    )
    const name = form.get('name') ?? ''
    const known: Record<string, string> = JSON.parse(await readFile(users, 'utf8'))
    const hash = Object.hasOwn(known, name) ? known[name] : undefined
    if (!(await isPassword(form.get('password') ?? '', hash)))
      return page(startResponse, '403 Forbidden', '<p role="alert">Name or password is wrong.</p>')
    const token = await new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(name)
      .setIssuedAt()
      .setExpirationTime(`${HOURS} hours`)
      .sign(key)
    const next = new URLSearchParams(environ.QUERY_STRING).get('next') ?? ''
    // A path here, and no address of another site.
    const target = /^\/(?![/\\])[!-~]*$/.test(next) ? next : `${environ.SCRIPT_NAME}/`
    startResponse('303 See Other', [
      ['Location', target],
      ['Set-Cookie', cookie(token, HOURS * 3600)],
    ])
    return []
  }

  return (app) => {
    const inner = toFunction(app)
    return async (environ, startResponse) => {
      const { REQUEST_METHOD: method, PATH_INFO: path, SCRIPT_NAME: mount } = environ
      if (isForged(environ)) {
        startResponse('403 Forbidden', [['Content-Type', 'text/plain']])
        return [new TextEncoder().encode('This request comes from another site.\n')]
      }
      if (path === '/login')
        return method === 'POST' ? logIn(environ, startResponse) : page(startResponse, '200 OK')
      if (path === '/logout' && method === 'POST') {
        startResponse('303 See Other', [
          ['Location', `${mount}/login`],
          ['Set-Cookie', cookie('', 0)],
        ])
        return []
      }
      const user = await userOf(environ)
      if (user !== undefined) {
        environ.REMOTE_USER = user
        return inner(environ, startResponse)
      }
      if (method !== 'GET' || !environ.HTTP_ACCEPT?.includes('text/html')) {
        startResponse('401 Unauthorized', [['WWW-Authenticate', 'Session']])
        return []
      }
      const next = encodeURIComponent(mount + path)
      startResponse('303 See Other', [['Location', `${mount}/login?next=${next}`]])
      return []
    }
  }
}

/** A request that changes something, which a page of another site has made. */
function isForged({
  REQUEST_METHOD,
  HTTP_SEC_FETCH_SITE,
  HTTP_ORIGIN,
  HTTP_HOST,
}: WSGIEnvironment) {
  if (['GET', 'HEAD', 'OPTIONS'].includes(REQUEST_METHOD)) return false
  if (HTTP_SEC_FETCH_SITE !== undefined)
    return !['same-origin', 'none'].includes(HTTP_SEC_FETCH_SITE)
  return HTTP_ORIGIN !== undefined && HTTP_ORIGIN.replace(/^https?:\/\//, '') !== HTTP_HOST
}

/** Takes as long for a name that is not known. The hashes are those of Werkzeug. */
async function isPassword(password: string, hash = 'scrypt:32768:8:1$-$00'): Promise<boolean> {
  const [method = '', salt = '', expected = ''] = hash.split('$')
  const [, N, r, p] = method.split(':').map(Number)
  const derive = promisify<string, string, number, object, Buffer>(scrypt)
  const derived = await derive(password, salt, 64, { N, r, p, maxmem: 132 * 1024 * 1024 })
  const wanted = Buffer.from(expected, 'hex')
  return wanted.length === derived.length && timingSafeEqual(wanted, derived)
}

function cookie(value: string, seconds: number): string {
  return `session=${value}; Path=/; Max-Age=${seconds}; HttpOnly; Secure; SameSite=Lax`
}

function page(startResponse: StartResponse, status: string, message = '') {
  startResponse(status, [
    ['Content-Type', 'text/html; charset=utf-8'],
    ['Cache-Control', 'no-store'],
    ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ])
  return [new TextEncoder().encode(PAGE.replace('<!-- message -->', message))]
}

/** The files of the page, as `npm run build` has made them: compressed. */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { ownFile } from '../../own-files/own-files.ts'
import type { OperationsAnswer, OperationsRoute } from '../operations/operations-server.ts'

/**
 * Nothing from elsewhere, no script or style in the page itself, no text that becomes HTML, and no
 * place in the page of another site.
 */
export const SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

export const SECURITY_FIELDS = {
  'Content-Security-Policy': SECURITY_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Referrer-Policy': 'no-referrer',
} as const

const FILES = [
  { path: '/', file: 'page.html.gz', type: 'text/html; charset=utf-8' },
  { path: '/dashboard/page.css', file: 'page.css.gz', type: 'text/css; charset=utf-8' },
  { path: '/dashboard/page.js', file: 'page.js.gz', type: 'text/javascript; charset=utf-8' },
  { path: '/dashboard/icon.svg', file: 'icon.svg.gz', type: 'image/svg+xml' },
] as const

/** `/` and what it loads. The files are read when somebody opens it for the first time. */
export function pageRoutes(): OperationsRoute[] {
  return FILES.map(({ path, file, type }) => {
    let content: Promise<Buffer> | null = null
    return {
      path,
      method: 'GET',
      ownHost: true,
      async answer(request): Promise<OperationsAnswer> {
        content ??= readFile(ownFile(`dist/dashboard/${file}`))
        const body = await content.catch((error: unknown) => {
          content = null
          throw error
        })
        return await encoded(request, { status: 200, type, body, fields: SECURITY_FIELDS })
      },
    }
  })
}

const unzip = promisify(gunzip)

/** A compressed file, for whoever takes it as it is and for others. */
async function encoded(
  request: IncomingMessage,
  answer: OperationsAnswer & { readonly body: Buffer },
): Promise<OperationsAnswer> {
  const fields = { ...answer.fields, Vary: 'Accept-Encoding' }
  if (acceptsGzip(request)) return { ...answer, fields: { ...fields, 'Content-Encoding': 'gzip' } }
  return { ...answer, body: await unzip(answer.body), fields }
}

/** Whether a client takes gzip (RFC 9110 §12.5.3). */
export function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /(^|,)\s*gzip\s*(;\s*q=(0\.\d*[1-9]\d*|1(\.0*)?)\s*)?(,|$)/i.test(
    String(headers['accept-encoding'] ?? ''),
  )
}

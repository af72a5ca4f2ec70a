import { notOfLongerPage } from '../semantics/longer-page.ts'
import { callApplication, toFunction } from '../wsgi/application.ts'
import { mapBody, whenBody } from '../wsgi/body.ts'
import type { Middleware, ResponseHeaders, WSGIEnvironment } from '../wsgi/types.ts'

/**
 * Adds Vite's client to the pages of an application, so that Vite can refresh them and show errors
 * on them. The element comes after everything else, so a page that is streamed is not held up.
 *
 * @param client the address of Vite's client
 */
export function withClient(client: string): Middleware {
  return (app) => {
    const inner = toFunction(app)
    return (environ, startResponse) => {
      if (!asksForPage(environ)) return callApplication(inner, environ, startResponse)
      let element: Uint8Array<ArrayBuffer> | null = null
      const result = callApplication(inner, environ, (status, headers, error) => {
        if (!isPage(status, headers)) return startResponse(status, headers, error)
        element = elementFor(client, fieldOf(headers, 'content-security-policy') ?? '')
        const kept: ResponseHeaders = headers.filter(
          ([name]) => !notOfLongerPage.has(name.toLowerCase()),
        )
        kept.push(['Cache-Control', 'no-store'])
        const length = fieldOf(headers, 'content-length')
        if (length !== undefined)
          kept.push(['Content-Length', String(Number(length) + element.length)])
        return startResponse(status, kept, error)
      })
      const isHead = environ.REQUEST_METHOD === 'HEAD'
      return whenBody(result, (body) =>
        mapBody(body, { end: () => (isHead ? undefined : (element ?? undefined)) }),
      )
    }
  }
}

/** Whether a browser asks for a page, and not for a part of one. */
export function asksForPage(environ: WSGIEnvironment): boolean {
  const { REQUEST_METHOD: method, HTTP_ACCEPT: accept, HTTP_SEC_FETCH_DEST: to } = environ
  if (typeof to === 'string') return /^i?frame$|^document$/.test(to)
  return (
    (method === 'GET' || method === 'HEAD') &&
    typeof accept === 'string' &&
    accept.includes('text/html') &&
    environ.HTTP_X_REQUESTED_WITH === undefined &&
    environ.HTTP_HX_REQUEST === undefined
  )
}

function isPage(status: string, headers: ResponseHeaders): boolean {
  if (/^(?:20[456]|3)/.test(status)) return false
  if (!/^text\/html\b/i.test(fieldOf(headers, 'content-type') ?? '')) return false
  const coding = fieldOf(headers, 'content-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return false
  return !/^attachment\b/i.test(fieldOf(headers, 'content-disposition') ?? '')
}

function fieldOf(headers: ResponseHeaders, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1]
}

/** A policy with `'self'` allows it, and one with a nonce. */
function elementFor(client: string, policy: string): Uint8Array<ArrayBuffer> {
  const nonce = /'nonce-([A-Za-z0-9+/_=-]+)'/.exec(policy)
  const attribute = nonce === null ? '' : ` nonce="${nonce[1]}"`
  return new TextEncoder().encode(`\n<script type="module" src="${client}"${attribute}></script>\n`)
}

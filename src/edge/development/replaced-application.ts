import type { RequestHead } from '../../http/request-head.ts'
import { responseHead } from '../../http/response-head.ts'
import type { EdgeHandler } from '../chain.ts'
import { SmallAnswer } from './refresh-browsers.ts'

/**
 * When another process serves a newer application, connections to this one that were idle may still
 * get an answer. Browsers keep connections, so that a developer would see the old application after
 * a refresh: they are sent to the same address again, and the connection ends with that.
 */
export class ReplacedApplication {
  /** Whether another process serves. */
  replaced = false

  readonly handler: EdgeHandler = (next) => (head, reply) => {
    if (!this.replaced || !isOfBrowser(head)) return next(head, reply)
    // Keeps the method and the body (RFC 9110 §15.4.8).
    const answer = responseHead(307, [
      ['Location', locationOf(head)],
      ['Cache-Control', 'no-store'],
    ])
    return new SmallAnswer(reply, answer, Buffer.alloc(0))
  }
}

/** A program that makes requests may not follow a redirect, so it gets its answer. */
function isOfBrowser(head: RequestHead): boolean {
  return (
    head.get('sec-fetch-mode') !== undefined || (head.get('accept') ?? '').includes('text/html')
  )
}

function locationOf(head: RequestHead): string {
  // "//host/" would be another host.
  const target = head.target.replace(/^\/{2,}/, '/')
  return head.targetForm === 'origin' ? target : '/'
}

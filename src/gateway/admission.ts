import type { Peer } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Field } from '../http/response-head.ts'
import { RETRY_SOON } from '../http/small-answer.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'
import type { GatewayBasics } from './context.ts'
import { SchemeConflictError } from './proxy-trust.ts'

/** Why a request does not get as far as the application. */
export interface Refused {
  readonly status: number
  readonly reason: string
  /** Further fields of the answer. */
  readonly fields: readonly Field[]
}

/** While memory is short, a request whose body may be longer than this is refused. */
const CHEAP_BODY = 16 * 1024

/**
 * Looks at a head before anything is done for it.
 *
 * @param spills whether a body goes to the disk while memory is short, so that it may still come
 * when the memory is used up
 * @returns whether it came over HTTPS, or why it is refused
 */
export function admit(
  head: RequestHead,
  peer: Peer,
  options: GatewayBasics,
  spills: boolean,
): boolean | Refused {
  const { limitRequestBody, memory, trust } = options
  if (memory.full && (memory.over || !spills) && hasCostlyBody(head)) return lacksMemory(memory)
  if (head.method === 'CONNECT') {
    return {
      status: 405,
      reason: 'CONNECT asks for a tunnel, and this is not a proxy',
      fields: [['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']],
    }
  }
  if (limitRequestBody !== 0 && head.contentLength > limitRequestBody) {
    return {
      status: 413,
      reason: `a body of ${head.contentLength} bytes is over limit_request_body (${limitRequestBody})`,
      fields: [],
    }
  }
  try {
    return trust.isSecure(head, peer)
  } catch (error) {
    if (!(error instanceof SchemeConflictError)) throw error
    return { status: 400, reason: error.message, fields: [] }
  }
}

function hasCostlyBody(head: RequestHead): boolean {
  return head.hasBody && (head.contentLength === -1 || head.contentLength > CHEAP_BODY)
}

/** Refuses a request because too much is held for clients already. */
export function lacksMemory({ held, limit }: MemoryBudget): Refused {
  return {
    status: 503,
    reason: `${held} bytes are held for clients, and client_memory is ${limit}`,
    fields: RETRY_SOON,
  }
}

import type { RequestHead } from '../../http/request-head.ts'
import { RETRY_SOON } from '../../http/small-answer.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { EdgeHandler } from '../chain.ts'
import { type RefusalAnswer, RefusedRequest } from '../refused-request.ts'

export interface AdmissionOptions {
  /** The most bytes that a request body may have; 0 for no limit. */
  readonly limitRequestBody: number
  readonly memory: MemoryBudget
  /**
   * Request bodies go to the disk while memory is short. If not, only small ones are admitted then.
   */
  readonly spoolsBodies: boolean
  /**
   * Requests can wait for a worker until memory is free again. If not, each is begun at once, and
   * none is admitted while memory is used up.
   */
  readonly queuesRequests: boolean
}

/** While memory is short, a request whose body may be longer than this is refused. */
const CHEAP_BODY = 16 * 1024

const TUNNEL: RefusalAnswer = {
  status: 405,
  reason: 'CONNECT asks for a tunnel, which only a proxy provides',
  fields: [['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']],
}

/**
 * Refuses, by its head, a request that the gateway should not see: CONNECT (405), a body over the
 * limit (413), or one that there is no memory for (503). The gateway itself refuses a body whose
 * length is not declared, once too much of it has arrived.
 */
export function admission(options: AdmissionOptions, events: RequestEvents): EdgeHandler {
  return (next) => (head, reply) => {
    const refusal = refusalOf(head, options)
    return refusal === null ? next(head, reply) : new RefusedRequest(head, reply, refusal, events)
  }
}

function refusalOf(head: RequestHead, options: AdmissionOptions): RefusalAnswer | null {
  const { limitRequestBody, memory } = options
  if (memory.full && lacksMemory(head, options)) {
    return {
      status: 503,
      reason:
        `no memory: ${memory.held} bytes are held for clients, of ${memory.limit} bytes allowed ` +
        '(client_memory)',
      fields: RETRY_SOON,
    }
  }
  if (head.method === 'CONNECT') return TUNNEL
  if (limitRequestBody !== 0 && head.contentLength > limitRequestBody) {
    const length = head.contentLength
    return {
      status: 413,
      reason:
        `a body of ${length} bytes is longer than limit_request_body ` +
        `(${limitRequestBody} bytes)`,
      fields: [],
    }
  }
  return null
}

/** @returns whether a request cannot be admitted while memory is full, or even over its limit */
function lacksMemory(head: RequestHead, options: AdmissionOptions): boolean {
  const { memory, spoolsBodies, queuesRequests } = options
  if (memory.over && !queuesRequests) return true
  if (!memory.over && spoolsBodies) return false
  return head.hasBody && (head.contentLength === -1 || head.contentLength > CHEAP_BODY)
}

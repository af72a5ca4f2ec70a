import { isWorthCoding, withVary } from '../../content-coding/coded-fields.ts'
import type { Reply } from '../../http/exchange.ts'
import { type ResponseHead, responseHead } from '../../http/response-head.ts'
import { ChangedResponse } from '../changed-response.ts'
import type { CompressContext } from './compress-context.ts'

/** The heads of an application's answers with what they became: most answers have one of a few. */
const varying = new WeakMap<ResponseHead, ResponseHead>()

/** Notes in a response that another client would get it compressed. */
export class VaryingExchange extends ChangedResponse {
  readonly #context: CompressContext

  constructor(context: CompressContext, reply: Reply) {
    super(reply)
    this.#context = context
  }

  protected override changed(head: ResponseHead): ResponseHead {
    return varyingHead(this.#context, head)
  }
}

/** The head with `Vary`, if the response would be compressed for others. */
export function varyingHead({ rules }: CompressContext, head: ResponseHead): ResponseHead {
  const known = varying.get(head)
  if (known !== undefined) return known
  const { status, fields, contentLength, reason } = head
  const varies = status === 304 || isWorthCoding(rules, status, fields)
  const made = varies ? responseHead(status, withVary(fields), contentLength, reason) : head
  varying.set(head, made)
  return made
}

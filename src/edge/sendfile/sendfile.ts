import type { EdgeHandler } from '../chain.ts'
import type { SendfileOptions } from './context.ts'
import { FileNames } from './file-names.ts'
import { SendfileExchange } from './sendfile-exchange.ts'

/**
 * Sends the file that a response refers to, by `X-Sendfile` or `X-Accel-Redirect`, instead of its
 * body. The application decides who may have the file; its worker is free while the file is sent.
 *
 * A file outside of the declared folders is never sent, and the fields never reach the client.
 *
 * @throws the error of the file system for a folder that does not exist
 */
export function sendfile(options: SendfileOptions): EdgeHandler {
  const context = { options, names: new FileNames(options.roots, options.redirects) }
  return (next) => (head, reply) => {
    const exchange = new SendfileExchange(context, head, reply)
    exchange.sink = next(head, exchange)
    return exchange
  }
}

import type { Reply, RequestSink } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { ApplicationEnvirons, type ServerFacts } from './application-environ.ts'
import { type ApplicationContext, ApplicationExchange } from './application-exchange.ts'
import { ApplicationHeads } from './application-heads.ts'
import type { GatewayBasics } from './context.ts'

/** The gateway to an application in this process: one exchange for each request. */
export class ApplicationGateway implements ApplicationContext {
  readonly options: GatewayBasics
  readonly app: WSGIApplication
  readonly environs: ApplicationEnvirons
  readonly heads = new ApplicationHeads()
  readonly strict: boolean
  readonly #forgiven = new Set<string>()

  /** @param strict whether breaking a rule of PEP 3333 is always an error */
  constructor(
    options: GatewayBasics,
    app: WSGIApplication,
    server: Omit<ServerFacts, 'rootPath'>,
    strict = true,
  ) {
    this.options = options
    this.app = app
    this.strict = strict
    this.environs = new ApplicationEnvirons({ ...server, rootPath: options.rootPath })
  }

  isNew(rule: string): boolean {
    return this.#forgiven.size < this.#forgiven.add(rule).size
  }

  /** The innermost handler of the edge's chain. */
  readonly handle = (head: RequestHead, reply: Reply): RequestSink =>
    new ApplicationExchange(this, head, reply)
}

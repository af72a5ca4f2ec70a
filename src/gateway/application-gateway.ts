import type { Reply, RequestSink } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { ApplicationEnvirons, type ServerFacts } from './application-environ.ts'
import { type ApplicationContext, ApplicationExchange } from './application-exchange.ts'
import { ApplicationHeads } from './application-heads.ts'
import type { GatewayBasics } from './context.ts'

/** Gives requests to an application in this process. */
export class ApplicationGateway implements ApplicationContext {
  readonly options: GatewayBasics
  readonly app: WSGIApplication
  readonly environs: ApplicationEnvirons
  readonly heads = new ApplicationHeads()
  readonly strict: boolean
  readonly #forgiven = new Set<string>()

  /** @param strict whether the application is held to PEP 3333 to the letter */
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

  /** The engine's handler: one call per request. */
  readonly handle = (head: RequestHead, reply: Reply): RequestSink =>
    new ApplicationExchange(this, head, reply)
}

import type { Reply, RequestSink } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { ApplicationEnvirons, type ServerFacts } from './application-environ.ts'
import { type ApplicationContext, ApplicationExchange } from './application-exchange.ts'
import { ApplicationHeads } from './application-heads.ts'
import type { CallScopes } from './call-scope.ts'
import type { GatewayBasics } from './context.ts'
import { ScopedExchange } from './scoped-exchange.ts'

/** The gateway to an application in this process: one exchange for each request. */
export class ApplicationGateway implements ApplicationContext {
  readonly options: GatewayBasics
  readonly app: WSGIApplication
  readonly environs: ApplicationEnvirons
  readonly heads = new ApplicationHeads()
  readonly strict: boolean
  readonly #forgiven = new Set<string>()

  /** The innermost handler of the edge's chain. */
  readonly handle: (head: RequestHead, reply: Reply) => RequestSink

  /**
   * @param strict whether breaking a rule of PEP 3333 is always an error
   * @param scopes where the application's code runs; null for no place of its own
   */
  constructor(
    options: GatewayBasics,
    app: WSGIApplication,
    server: Omit<ServerFacts, 'rootPath'>,
    strict = true,
    scopes: CallScopes | null = null,
  ) {
    this.options = options
    this.app = app
    this.strict = strict
    this.environs = new ApplicationEnvirons({ ...server, rootPath: options.rootPath })
    this.handle =
      scopes === null
        ? (head, reply) => new ApplicationExchange(this, head, reply)
        : (head, reply) => new ScopedExchange(this, scopes, head, reply)
  }

  isNew(rule: string): boolean {
    return this.#forgiven.size < this.#forgiven.add(rule).size
  }
}

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

  constructor(options: GatewayBasics, app: WSGIApplication, server: Omit<ServerFacts, 'rootPath'>) {
    this.options = options
    this.app = app
    this.environs = new ApplicationEnvirons({ ...server, rootPath: options.rootPath })
  }

  /** The engine's handler: one call per request. */
  readonly handle = (head: RequestHead, reply: Reply): RequestSink =>
    new ApplicationExchange(this, head, reply)
}

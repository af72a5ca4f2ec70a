import type { Reply } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { ResponseHead } from '../http/response-head.ts'
import type { Call } from '../wsgi/call.ts'
import type { WSGIEnvironment } from '../wsgi/types.ts'
import { type ApplicationContext, ApplicationExchange } from './application-exchange.ts'
import type { CallScope, CallScopes } from './call-scope.ts'

/**
 * An exchange that runs the application's code in a scope: the call, each step of its body, and
 * what is called when the client leaves. Code that waits for a promise returns to its scope by
 * itself.
 */
export class ScopedExchange extends ApplicationExchange {
  readonly #scopes: CallScopes
  #scope: CallScope | null = null

  constructor(gateway: ApplicationContext, scopes: CallScopes, head: RequestHead, reply: Reply) {
    super(gateway, head, reply)
    this.#scopes = scopes
  }

  protected override runCall(call: Call<ResponseHead>, environ: WSGIEnvironment): void {
    this.#scope = this.#scopes.open(this.head.trace, environ)
    this.#inScope(() => super.runCall(call, environ))
  }

  override whenReady(callback: () => void): void {
    super.whenReady(() => this.#inScope(callback))
  }

  override closed(completed: boolean): void {
    this.#inScope(() => super.closed(completed))
  }

  #inScope(part: () => void): void {
    if (this.#scope === null) part()
    else this.#scope.run(part)
  }
}

import {
  type StartResponse,
  toFunction,
  type WSGIApplication,
  type WSGIBody,
  type WSGIEnvironment,
  type WSGIFunction,
  type WSGIObject,
} from 'monoceros'
import { app as hello } from './hello.ts'

export class Append implements WSGIObject {
  readonly #app: WSGIFunction
  readonly #text: string

  constructor(app: WSGIApplication, text: string) {
    this.#app = toFunction(app)
    this.#text = text
  }

  async wsgi(environ: WSGIEnvironment, startResponse: StartResponse): Promise<WSGIBody> {
    const start: StartResponse = (status, headers, excInfo) => {
      const kept = headers.filter(([name]) => name.toLowerCase() !== 'content-length')
      return startResponse(status, kept, excInfo)
    }
    return new Appended(await this.#app(environ, start), this.#text)
  }
}

class Appended {
  readonly #body: WSGIBody
  readonly #text: string

  constructor(body: WSGIBody, text: string) {
    this.#body = body
    this.#text = text
  }

  async *[Symbol.asyncIterator]() {
    yield* this.#body
    yield new TextEncoder().encode(this.#text)
  }

  close() {
    return this.#body.close?.()
  }
}

export const app = new Append(hello, 'Greeted by WSGI.\n')

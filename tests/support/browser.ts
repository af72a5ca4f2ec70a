/** A small stateful client on node's fetch: keeps cookies, follows no redirect by itself. */
export class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  async get(path: string): Promise<Response> {
    return this.#fetch(path, { method: 'GET' })
  }

  /** Posts a form: URLSearchParams go urlencoded, FormData as multipart. `headers` are added. */
  async post(
    path: string,
    body: URLSearchParams | FormData,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    // Browsers send it with forms; over HTTPS, Django refuses a form without it.
    return this.#fetch(path, {
      method: 'POST',
      body,
      headers: { Origin: this.#origin, ...headers },
    })
  }

  cookie(name: string): string | undefined {
    return this.#cookies.get(name)
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    if (this.#cookies.size > 0) {
      headers.set(
        'Cookie',
        [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '),
      )
    }
    const response = await fetch(new URL(path, this.#origin), {
      ...init,
      headers,
      redirect: 'manual',
    })
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const at = pair.indexOf('=')
      const gone = attributes.some((attribute) => /^max-age=0$/i.test(attribute))
      if (gone) this.#cookies.delete(pair.slice(0, at))
      else this.#cookies.set(pair.slice(0, at), pair.slice(at + 1))
    }
    return response
  }
}

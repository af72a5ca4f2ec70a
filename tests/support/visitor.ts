/** A client that keeps cookies as a browser does at localhost, also those that are `Secure`. */
export class Visitor {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return this.#send(path, { headers })
  }

  /** Sends a form: by default the fields, encoded; with files, as `FormData`. */
  post(path: string, form: FormData | Readonly<Record<string, string>>): Promise<Response> {
    return this.#send(path, {
      method: 'POST',
      body: form instanceof FormData ? form : new URLSearchParams(form),
      headers: { Origin: this.#origin, Referer: `${this.#origin}${path}` },
    })
  }

  async text(path: string): Promise<string> {
    return await (await this.get(path)).text()
  }

  /** The value of a hidden field of a page: `csrf_token` or `csrfmiddlewaretoken`. */
  async field(path: string, name: string): Promise<string> {
    const page = await this.text(path)
    const value = new RegExp(`name="${name}"[^>]* value="([^"]+)"`).exec(page)?.[1]
    if (value === undefined) throw new Error(`${path} has no field ${name}:\n${page}`)
    return value
  }

  /** What it sends as `Cookie`. */
  get cookies(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  async #send(path: string, init: RequestInit & { headers: Record<string, string> }) {
    const headers = { Accept: 'text/html', Cookie: this.cookies, ...init.headers }
    const url = new URL(path, this.#origin)
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (/; *Max-Age=0(;|$)/i.test(line)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return response
  }
}

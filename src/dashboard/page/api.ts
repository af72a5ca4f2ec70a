/** Requests to the server that this page comes from. */

/** The server has answered, but not with what was asked for; `message` is for the user. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Asks with the control token, if the user has given it. It is nowhere but here. */
export class Api {
  #token: string | null = null

  get hasToken(): boolean {
    return this.#token !== null
  }

  /** Tries a token, and keeps it if it is right. @throws Refusal */
  async useToken(token: string): Promise<void> {
    await this.#call('control/status', {
      headers: { Authorization: `Bearer ${token}` },
    })
    this.#token = token
  }

  /** @throws Refusal, or TypeError if the server cannot be reached */
  async get<Content>(path: string): Promise<Content> {
    return (await this.#call(path, { headers: this.#headers })) as Content
  }

  /** Has an action done: `act('scale', { by: 1 })`. */
  async act<Content>(name: string, given: object = {}): Promise<Content> {
    const headers = { ...this.#headers, 'Content-Type': 'application/json' }
    const body = JSON.stringify(given)
    return (await this.#call(`control/${name}`, { method: 'POST', headers, body })) as Content
  }

  get #headers(): Record<string, string> {
    return this.#token === null ? {} : { Authorization: `Bearer ${this.#token}` }
  }

  async #call(path: string, options: RequestInit): Promise<unknown> {
    const response = await fetch(path, {
      ...options,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
    })
    const text = await response.text()
    let content: unknown = null
    try {
      content = JSON.parse(text)
    } catch {
      // A line of text.
    }
    if (response.ok && content !== null) return content
    const { error } = (content ?? {}) as { error?: { message?: string } }
    throw new Refusal(response.status, error?.message ?? text.trim())
  }
}

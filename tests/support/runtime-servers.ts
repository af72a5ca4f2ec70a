/** What the tests use of `Bun` and `Deno`. */
type Handler = (request: Request) => Promise<Response> | Response

interface OtherRuntimes {
  readonly Bun?: {
    serve(options: { port: number; hostname: string; fetch: Handler; idleTimeout: number }): {
      readonly port: number
      stop(closesConnections: boolean): Promise<void>
    }
  }
  readonly Deno?: {
    serve(
      options: { port: number; hostname: string; onListen(): void; signal: AbortSignal },
      handler: Handler,
    ): { readonly addr: { readonly port: number } }
  }
}

const { Bun, Deno } = globalThis as OtherRuntimes

/** A server that takes a fetch handler. */
export interface FetchServer {
  readonly port: number
  /** Closes it with its connections. */
  close(): void
}

/**
 * The server that the runtime itself has for fetch handlers, by its name: `Bun.serve` or
 * `Deno.serve`. Node.js has none.
 */
export const runtimeServers: Readonly<Record<string, (handler: Handler) => FetchServer>> = {
  ...(Bun !== undefined && { 'Bun.serve': serveOnBun }),
  ...(Deno !== undefined && { 'Deno.serve': serveOnDeno }),
}

function serveOnBun(fetch: Handler): FetchServer {
  const server = Bun!.serve({ port: 0, hostname: '127.0.0.1', fetch, idleTimeout: 0 })
  return { port: server.port, close: () => void server.stop(true) }
}

function serveOnDeno(handler: Handler): FetchServer {
  const stop = new AbortController()
  const options = { port: 0, hostname: '127.0.0.1', onListen: () => {}, signal: stop.signal }
  const server = Deno!.serve(options, handler)
  return { port: server.addr.port, close: () => stop.abort() }
}

import { type IncomingHttpHeaders, request } from 'node:http'

/** An answer, without its body. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

/**
 * A GET of `/` on a connection of its own.
 *
 * @param localAddress the client's address: any of 127.0.0.0/8
 */
export function getFrom(
  localAddress: string,
  { port }: { readonly port: number },
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, localAddress, headers, agent: false })
    sent.on('response', (response) => {
      response.resume()
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

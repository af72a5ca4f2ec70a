/** HTTPS requests for tests of certificates, each over a connection of its own. */
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http'
import { request } from 'node:https'
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls'

export interface SecureAnswer {
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** What the handshake has agreed on. */
  certificate: PeerCertificate
  protocol: string | null
  reused: boolean
  /** The newest session, to be resumed by another connection. */
  session: Buffer | undefined
}

/** Asks a server at 127.0.0.1. Its certificate is not verified unless `ca` is given. */
export function askHttps(
  port: number,
  path: string,
  options: ConnectionOptions & { headers?: Record<string, string> } = {},
): Promise<SecureAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        agent: false,
        rejectUnauthorized: options.ca !== undefined,
        ...options,
      },
      (response) => {
        const socket = response.socket as TLSSocket
        const certificate = socket.getPeerCertificate()
        const protocol = socket.getProtocol()
        const reused = socket.isSessionReused()
        const { statusCode: status = 0, headers } = response
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status, headers, text, certificate, protocol, reused, session }),
        )
      },
    )
    let session: Buffer | undefined
    sent.on('socket', (socket) => {
      socket.on('session', (newest: Buffer) => {
        session = newest
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Asks over plain HTTP. */
export function askPlain(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const sent = plainRequest(
      { host: '127.0.0.1', port, path, headers, agent: false },
      (response) => {
        response.resume()
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers }),
        )
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

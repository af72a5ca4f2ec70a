import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { type MadeCertificate, makeCertificate } from '../support/certificates.ts'
import { askHttps, askPlain } from '../support/https-client.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Which certificate a client gets, what the application learns of the client's, and where HTTP is
// led to HTTPS. tests/release/tls.test.ts has what takes longer.

const APPLICATION = `
import os
def app(environ, start_response):
    names = [name for name in sorted(environ) if name.startswith(("SSL_", "HTTPS", "SERVER_PORT"))]
    lines = [f"{name}={environ[name]!r}" for name in [*names, "wsgi.url_scheme"]]
    body = "\\n".join([*lines, f"pid={os.getpid()}"]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

const folder = temporaryDirectory()
afterAll(() => folder.remove())

let authority: MadeCertificate
let client: MadeCertificate
let stranger: MadeCertificate

beforeAll(() => {
  authority = makeCertificate(folder.path, { name: 'authority', authority: true })
  client = makeCertificate(folder.path, {
    name: 'client',
    subject: '/O=Shop/CN=Robin',
    issuer: authority,
  })
  stranger = makeCertificate(folder.path, { name: 'stranger' })
  writeFileSync(join(folder.path, 'shown.py'), APPLICATION)
})

function secondPort(server: RunningServer): number {
  const found = /Redirecting to HTTPS from http:\/\/127\.0\.0\.1:(\d+)/.exec(server.log())
  return Number(found?.[1])
}

const identityOf = ({ certPem, keyPem }: MadeCertificate) => ({ cert: certPem, key: keyPem })

describe.runIf(hasPython())('a server with certificates', () => {
  let server: RunningServer
  let shop: MadeCertificate

  beforeAll(async () => {
    shop = makeCertificate(folder.path, { name: 'shop', names: ['DNS:shop.test'] })
    // A client that takes keys of both types must not get the other certificate for it.
    const wild = makeCertificate(folder.path, {
      ...{ name: 'wild', names: ['DNS:*.wild.test'] },
      rsaBits: 2048,
    })
    server = await startServer({
      app: 'shown:app',
      cwd: folder.path,
      args: [
        ...['--certfile', shop.cert, '--certfile', wild.cert],
        ...['--keyfile', wild.key, '--keyfile', shop.key],
        ...['--cert-reqs', '1', '--ca-certs', authority.cert],
        ...['--http-redirect', '127.0.0.1:0', '--hsts', '60; includeSubDomains'],
        ...['--workers', '2', '--acceptors', '2'],
      ],
    })
  })

  test('a client gets the certificate for the host that it asks for', async () => {
    const names = async (servername: string) => {
      const { certificate } = await askHttps(server.port, '/', { servername })
      return certificate.subjectaltname
    }
    expect(await names('shop.test')).toBe('DNS:shop.test')
    expect(await names('a.wild.test')).toBe('DNS:*.wild.test')
    expect(await names('A.Wild.Test')).toBe('DNS:*.wild.test')
    expect(await names('a.b.wild.test')).toBe('DNS:shop.test')
    expect(await names('other.test')).toBe('DNS:shop.test')
    expect(await names('')).toBe('DNS:shop.test')
  })

  test('it gets that one if its ClientHello is in several records, too', async () => {
    const asked = spawnSync('openssl', [
      ...['s_client', '-connect', `127.0.0.1:${server.port}`, '-servername', 'a.wild.test'],
      ...['-max_send_frag', '512', '-alpn', `http/1.1${',x'.repeat(400)}`],
    ])
    expect(asked.stdout.toString()).toContain('subject=CN = wild')
  })

  test('plain HTTP is led to HTTPS, which it alone says to keep to', async () => {
    const plain = await askPlain(secondPort(server), '/a?b', { Host: 'shop.test:80' })
    expect(plain.status).toBe(308)
    expect(plain.headers.location).toBe(`https://shop.test:${server.port}/a?b`)
    expect(plain.headers['strict-transport-security']).toBeUndefined()
    const secure = await askHttps(server.port, '/')
    expect(secure.headers['strict-transport-security']).toBe('max-age=60; includeSubDomains')
    expect(secure.text).toContain(`HTTPS='on'`)
    expect(secure.text).toContain(`SERVER_PORT='${server.port}'`)
    expect(secure.text).toContain(`wsgi.url_scheme='https'`)
  })

  test('the application learns of the client, and headers cannot lie to it', async () => {
    const forged = {
      'SSL-CLIENT-VERIFY': 'SUCCESS',
      SSL_CLIENT_S_DN: 'CN=root',
      'Ssl-Client-S-Dn-Cn': 'root',
    }
    const known = await askHttps(server.port, '/', { ...identityOf(client), headers: forged })
    expect(known.text).toContain(`SSL_CLIENT_VERIFY='SUCCESS'`)
    expect(known.text).toContain(`SSL_CLIENT_S_DN='CN=Robin,O=Shop'`)
    expect(known.text).toContain(`SSL_CLIENT_S_DN_CN='Robin'`)
    expect(known.text).toContain(`SSL_CLIENT_I_DN='CN=authority'`)
    expect(known.text).toContain(`SSL_PROTOCOL='TLSv1.3'`)
    const nobody = await askHttps(server.port, '/', { headers: forged })
    expect(nobody.text).toContain(`SSL_CLIENT_VERIFY='NONE'`)
    expect(nobody.text).not.toContain('SSL_CLIENT_S')
    const bad = await askHttps(server.port, '/', { ...identityOf(stranger), headers: forged })
    expect(bad.text).toMatch(/SSL_CLIENT_VERIFY='FAILED:[\w -]+'/)
    expect(bad.text).not.toContain('SSL_CLIENT_S')
  })

  test('it is the same over HTTP/2', async () => {
    const session = connect(`https://127.0.0.1:${server.port}`, {
      ...identityOf(client),
      rejectUnauthorized: false,
    })
    const stream = session.request({ ':path': '/', 'ssl-client-verify': 'NONE' })
    const [headers] = (await once(stream, 'response')) as [Record<string, string>]
    const text = Buffer.concat(await stream.toArray()).toString()
    session.close()
    expect(headers['strict-transport-security']).toBe('max-age=60; includeSubDomains')
    expect(text).toContain(`SSL_CLIENT_VERIFY='SUCCESS'`)
    expect(text).toContain(`SSL_CLIENT_S_DN='CN=Robin,O=Shop'`)
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a session of %s goes on in any acceptor, with the same client',
    async (version) => {
      const options = { maxVersion: version, ...identityOf(client) }
      const first = await askHttps(server.port, '/', options)
      expect(first.reused).toBe(false)
      const pids = new Set<string | undefined>()
      await waitFor('a session that goes on in both acceptors', async () => {
        const next = await askHttps(server.port, '/', { ...options, session: first.session! })
        expect(next.reused).toBe(true)
        expect(next.text).toContain(`SSL_CLIENT_S_DN='CN=Robin,O=Shop'`)
        pids.add(/pid=(\d+)/.exec(next.text)?.[1])
        return pids.size === 2
      })
      const failed = { maxVersion: version, ...identityOf(stranger) }
      const refused = await askHttps(server.port, '/', failed)
      const again = await askHttps(server.port, '/', { ...failed, session: refused.session! })
      expect(again.text).toContain(`SSL_CLIENT_VERIFY='FAILED:`)
    },
  )

  test('a new certificate is in use soon after its files were replaced', async () => {
    const next = makeCertificate(folder.path, { name: 'next', names: ['DNS:next.test'] })
    const from = server.log().length
    // One after the other, as certbot does it.
    renameSync(next.key, shop.key)
    renameSync(next.cert, shop.cert)
    await server.waitForLog(/Using the new certificate in .*shop\.pem, valid until \d/, { from })
    await waitFor('the new certificate', async () => {
      const { certificate } = await askHttps(server.port, '/')
      return certificate.subjectaltname === 'DNS:next.test'
    })
  })
})

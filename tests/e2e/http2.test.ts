import { writeFileSync } from 'node:fs'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { http2Answer, http2Get, http2Post } from '../support/http2-client.ts'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { childrenOf, commandLineOf, residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { testCertificate } from '../support/test-certificate.ts'

const MEBIBYTE = 1024 * 1024

function session(url: string): ClientHttp2Session {
  const made = connect(url, { ca: testCertificate.cert, servername: 'localhost' })
  made.on('error', () => {})
  onTestFinished(() => made.destroy())
  return made
}

describe.skipIf(!hasPython())('HTTP/2, with TLS and without', () => {
  let server: PlainServer

  beforeAll(async () => {
    const folder = temporaryDirectory()
    const cert = join(folder.path, 'cert.pem')
    const key = join(folder.path, 'key.pem')
    writeFileSync(cert, testCertificate.cert)
    writeFileSync(key, testCertificate.key, { mode: 0o600 })
    const plain = ['--bind', '127.0.0.1:0', '--h2c']
    const tls = ['--bind', 'tls:127.0.0.1:0', '--certfile', cert, '--keyfile', key]
    const log = ['--access-logfile', '-']
    server = await startPlain({ args: [...plain, ...tls, ...log] })
    return folder.remove
  })

  const schemes = ['http', 'https'] as const
  const urlOf = (scheme: string) =>
    server.addresses.find((address) => address.startsWith(`${scheme}:`))!

  test.each(schemes)(
    'an application sees the same requests as over HTTP/1.1, over %s',
    async (scheme) => {
      const url = urlOf(scheme)
      const client = session(url)
      const stream = client.request({
        ':path': '/echo?a=%20b',
        ':method': 'POST',
        cookie: ['a=1', 'b=2'],
        'x-name': 'caf\xe9',
      })
      stream.end('body')
      const { headers, body } = await http2Answer(stream)
      expect(headers[':status']).toBe(200)
      const seen = JSON.parse(body.toString()) as { environ: Record<string, string>; body: string }
      expect(seen.body).toBe('body')
      expect(seen.environ).toMatchObject({
        REQUEST_METHOD: 'POST',
        SERVER_PROTOCOL: 'HTTP/2.0',
        PATH_INFO: '/echo',
        QUERY_STRING: 'a=%20b',
        HTTP_HOST: `localhost:${new URL(url).port}`,
        HTTP_COOKIE: 'a=1; b=2',
        HTTP_X_NAME: 'caf\xe9',
        'wsgi.url_scheme': scheme,
      })
      expect(seen.environ.HTTPS).toBe(scheme === 'http' ? undefined : 'on')
      await server.waitForLog(/"POST \/echo\?a=%20b HTTP\/2\.0" 200 /)
    },
  )

  test.each(schemes)('large bodies go both ways, beside small answers, over %s', async (scheme) => {
    const client = session(urlOf(scheme))
    const upload = http2Post(client, '/length', Buffer.alloc(5 * MEBIBYTE))
    const download = http2Get(client, `/big?size=${5 * MEBIBYTE}`)
    const small = await Promise.all(Array.from({ length: 20 }, () => http2Get(client, '/')))
    expect(small.every(({ body }) => body.toString() === 'hello\n')).toBe(true)
    expect((await upload).body.toString()).toBe(String(5 * MEBIBYTE))
    const { body, ended } = await download
    expect(body.length).toBe(5 * MEBIBYTE)
    expect(ended).toBe(true)
  })

  test.each(schemes)(
    'an application that fails midway resets its stream only, over %s',
    async (scheme) => {
      const client = session(urlOf(scheme))
      server.go(`after-${scheme}`)
      const broken = await http2Get(client, `/raise-after?key=after-${scheme}`)
      expect(broken.headers[':status']).toBe(200)
      expect(broken.body.length).toBeGreaterThan(0)
      expect(broken.ended).toBe(false)
      expect(broken.code).toBe(constants.NGHTTP2_INTERNAL_ERROR)
      expect((await http2Get(client, '/raise-before')).headers[':status']).toBe(500)
      expect((await http2Get(client, '/')).ended).toBe(true)
    },
  )

  test('a plain address still serves HTTP/1.1', async () => {
    const { hostname, port } = new URL(urlOf('http'))
    const answer = await exchangeOnce({ host: hostname, port: Number(port) }, get('/'))
    expect(answer.text).toBe('hello\n')
  })

  test('a stream that the client resets is cancelled in the application', async () => {
    const client = session(urlOf('http'))
    const stream = client.request({ ':path': '/endless?key=reset' })
    stream.on('error', () => {})
    stream.resume()
    await server.begun('reset')
    await new Promise((resolve) => stream.once('data', resolve))
    stream.close(constants.NGHTTP2_CANCEL)
    await server.closed('reset')
    expect(server.timesClosed('reset')).toBe(1)
    expect((await http2Get(client, '/')).ended).toBe(true)
  })

  test('streams that nobody reads cost neither memory nor the worker', async () => {
    const client = session(urlOf('http'))
    const acceptor = childrenOf(server.pid).find((pid) => commandLineOf(pid).includes('acceptor'))!
    const processes = [acceptor, ...server.workers()]
    const memory = () => processes.reduce((sum, pid) => sum + residentMemory(pid), 0)
    await http2Get(client, `/big?size=${5 * MEBIBYTE}`)
    const before = memory()
    const size = 20 * MEBIBYTE
    const unread = Array.from({ length: 8 }, () => {
      const stream = client.request({ ':path': `/big?size=${size}` })
      stream.on('error', () => {})
      return stream.pause()
    })
    // The one worker has one thread: it answers as soon as it is rid of the large responses.
    expect((await http2Get(client, '/')).body.toString()).toBe('hello\n')
    expect(memory() - before).toBeLessThan(100 * MEBIBYTE)
    const [first, ...others] = unread
    for (const stream of others) stream.close(constants.NGHTTP2_CANCEL)
    const answer = http2Answer(first!)
    first!.resume()
    expect((await answer).body.length).toBe(size)
  })
})

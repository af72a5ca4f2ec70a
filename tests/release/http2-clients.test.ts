import { execFile, spawnSync } from 'node:child_process'
import { connect as connectHttp2 } from 'node:http2'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { makeCertificate } from '../support/certificates.ts'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { childrenOf } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { resourcesOf } from '../support/resources.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// What people have speaks HTTP/2 with us: over TLS by ALPN, and by prior knowledge.

const run = promisify(execFile)

/** Whether there is such a program; with CI set, there must be. */
function has(program: string, argument = '--version'): boolean {
  const found = spawnSync(program, [argument]).error === undefined
  if (!found && process.env.CI) throw new Error(`There is no ${program}; .ci/run installs it`)
  if (!found) console.warn(`*** There is no ${program}: its tests are SKIPPED.`)
  return found
}

const chromium = hasPython() ? findChromium() : null

describe.skipIf(!hasPython())('clients of HTTP/2', () => {
  const folder = temporaryDirectory()
  let tls: RunningServer
  let plain: RunningServer
  let ca = ''
  beforeAll(async () => {
    const certificate = makeCertificate(folder.path, {
      name: 'localhost',
      names: ['DNS:localhost', 'IP:127.0.0.1'],
    })
    ca = certificate.cert
    const options = { app: 'flask_app:app', cwd: appsDirectory }
    const args = ['--workers', '1', '--threads', '4', '--graceful-timeout', '2']
    ;[tls, plain] = await Promise.all([
      startServer({
        ...options,
        args: [...args, '--certfile', certificate.cert, '--keyfile', certificate.key],
      }),
      startServer({ ...options, args: [...args, '--h2c'] }),
    ])
  })
  afterAll(folder.remove)

  test.skipIf(!has('curl'))('curl, by ALPN and by prior knowledge', async () => {
    const format = ['-s', '-o', '/dev/null', '-w', '%{http_version} %{response_code}']
    const secure = `https://localhost:${tls.port}/`
    const byAlpn = await run('curl', [...format, '--http2', '--cacert', ca, secure])
    expect(byAlpn.stdout).toBe('2 200')
    const old = await run('curl', [...format, '--http1.1', '--cacert', ca, secure])
    expect(old.stdout).toBe('1.1 200')
    const known = await run('curl', [...format, '--http2-prior-knowledge', plain.url])
    expect(known.stdout).toBe('2 200')
    // The upgrade of RFC 7540 was dropped by RFC 9113: the answer is one of HTTP/1.1.
    const upgrade = await run('curl', [...format, '--http2', plain.url])
    expect(upgrade.stdout).toBe('1.1 200')
    const early = await run('curl', [...format, '--http1.1', plain.url])
    expect(early.stdout).toBe('1.1 200')
  })

  test.skipIf(!has('h2load'))('h2load, with many streams on some connections', async () => {
    for (const url of [`https://localhost:${tls.port}/`, plain.url]) {
      const { stdout } = await run('h2load', ['-n', '2000', '-c', '4', '-m', '50', url])
      expect(stdout).toMatch(/2000 succeeded, 0 failed, 0 errored, 0 timeout/)
      expect(stdout).toMatch(/status codes: 2000 2xx/)
    }
  })

  // Sooner than the write timeout ends them, 30 s by default.
  test.skipIf(!has('h2load'))('h2load that leaves at once, with requests under way', async () => {
    const acceptor = childrenOf(tls.pid)[0]!
    const sockets = () => resourcesOf(acceptor).descriptors.socket ?? 0
    const before = sockets()
    for (let i = 0; i < 2; i++) {
      const load = ['-D', '1', '-c', '8', '-m', '8', `https://localhost:${tls.port}/`]
      const { stdout } = await run('h2load', load)
      expect(stdout).toMatch(/ 0 failed, 0 errored/)
    }
    await waitFor('all connections to be closed', () => sockets() <= before, 15_000)
  })

  test.skipIf(!has('openssl', 'version'))('openssl s_client -alpn h2', async () => {
    const { stdout } = await run('sh', [
      '-c',
      `openssl s_client -connect localhost:${tls.port} -alpn h2 -CAfile ${ca} </dev/null`,
    ])
    expect(stdout).toContain('ALPN protocol: h2')
    expect(stdout).toContain('Verify return code: 0 (ok)')
  })

  test('node:http2', async () => {
    const session = connectHttp2(`https://localhost:${tls.port}`, { rejectUnauthorized: false })
    onTestFinished(() => session.destroy())
    const answers = await Promise.all(
      Array.from(
        { length: 200 },
        () =>
          new Promise<number>((resolve, reject) => {
            const stream = session.request({ ':path': '/' })
            stream.on('response', (headers) => resolve(headers[':status'] ?? 0))
            stream.on('error', reject)
            stream.resume()
          }),
      ),
    )
    expect(new Set(answers)).toEqual(new Set([200]))
    expect(session.alpnProtocol).toBe('h2')
  })

  test('httpx of Python, with h2', async () => {
    const program = [
      'import httpx, sys',
      'with httpx.Client(http2=True, verify=sys.argv[2]) as client:',
      '    answers = [client.get(sys.argv[1]) for _ in range(20)]',
      '    sent = client.post(sys.argv[1], content=b"x" * 300_000)',
      'print({(a.http_version, a.status_code) for a in answers}, sent.http_version)',
    ].join('\n')
    const url = `https://localhost:${tls.port}/`
    const { stdout } = await run(testPython().executable, ['-c', program, url, ca])
    expect(stdout.trim()).toBe("{('HTTP/2', 200)} HTTP/2")
  })

  test.skipIf(chromium === null)('headless Chromium', async () => {
    const { browser, close } = await launchChromium(chromium!)
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true })
      const page = await context.newPage()
      const response = await page.goto(`https://localhost:${tls.port}/`)
      expect(response?.status()).toBe(200)
      const protocol = await page.evaluate(
        'performance.getEntriesByType("navigation")[0].nextHopProtocol',
      )
      expect(protocol).toBe('h2')
    } finally {
      await close()
    }
  })
})

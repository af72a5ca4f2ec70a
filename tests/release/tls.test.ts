import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import {
  type CertificateRequest,
  type MadeCertificate,
  makeCertificate,
} from '../support/certificates.ts'
import { askHttps } from '../support/https-client.ts'
import { publicFolder } from '../support/public-folder.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runCommand, runCommandHere, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// TLS as other programs see it: the openssl command and Python's ssl; certificates that change
// under load, and those that cannot be used.

const APPLICATION = `
import os
def app(environ, start_response):
    body = f"{os.getpid()} {environ.get('SSL_CLIENT_VERIFY')}".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

const folder = temporaryDirectory()
afterAll(() => folder.remove())
const path = (name: string) => join(folder.path, name)
const make = (request: CertificateRequest) => makeCertificate(folder.path, request)

let authority: MadeCertificate
let shop: MadeCertificate

beforeAll(() => {
  authority = make({ name: 'authority', authority: true })
  shop = make({ name: 'shop', names: ['DNS:shop.test'], issuer: authority })
  writeFileSync(path('shown.py'), APPLICATION)
})

function start(args: string[], env: Record<string, string> = {}): Promise<RunningServer> {
  return startServer({ app: 'shown:app', cwd: folder.path, args, env })
}

const pair = ({ cert, key }: MadeCertificate) => ['--certfile', cert, '--keyfile', key]

/** What `openssl s_client` says. It does not block this process, which may be a client as well. */
function openssl(server: RunningServer, args: string[], input = ''): Promise<string> {
  return new Promise((resolve) => {
    const all = ['s_client', '-connect', `127.0.0.1:${server.port}`, ...args]
    const child = spawn('openssl', all, { stdio: ['pipe', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.on('close', () => resolve(text))
  })
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'
const LEGACY = ['-cipher', 'DEFAULT:@SECLEVEL=0']

describe.runIf(hasPython())('what a handshake may agree on', () => {
  test('TLS 1.2 and 1.3 are spoken, and nothing older', async () => {
    const server = await start(pair(shop))
    expect(await openssl(server, ['-tls1_2'])).toContain('New, TLSv1.2, Cipher is ECDHE-ECDSA-')
    expect(await openssl(server, ['-tls1_3'])).toContain('New, TLSv1.3, Cipher is TLS_AES_')
    for (const version of ['-tls1', '-tls1_1'])
      expect(await openssl(server, [version, ...LEGACY])).toContain('Cipher is (NONE)')
    const newest = await openssl(server, [])
    expect(newest).toContain('New, TLSv1.3')
    expect(newest).toContain('Compression: NONE')
  })

  test('tls_minimum and ssl_version change that', async () => {
    const server = await start([...pair(shop), '--tls-minimum', '1.3'])
    expect(await openssl(server, ['-tls1_2'])).toContain('Cipher is (NONE)')
    expect(await openssl(server, ['-tls1_3'])).toContain('New, TLSv1.3')
    const older = await start([...pair(shop), '--ssl-version', 'TLSv1_2'])
    expect(await openssl(older, ['-tls1_2'])).toContain('New, TLSv1.2')
    expect(await openssl(older, ['-tls1_3'])).toContain('Cipher is (NONE)')
  })

  test('ciphers are those of the list, in its order', async () => {
    const ciphers = 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305'
    const server = await start([...pair(shop), '--ciphers', ciphers])
    const ask = async (list: string) => {
      const said = await openssl(server, ['-tls1_2', '-cipher', list])
      return /Cipher is (\S+)/.exec(said)?.[1]
    }
    expect(await ask('ECDHE-ECDSA-AES128-GCM-SHA256')).toBe('(NONE)')
    expect(await ask('ECDHE-ECDSA-CHACHA20-POLY1305')).toBe('ECDHE-ECDSA-CHACHA20-POLY1305')
    const either = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384'
    expect(await ask(either)).toBe('ECDHE-ECDSA-AES256-GCM-SHA384')
  })

  test('a client cannot renegotiate', async () => {
    const server = await start(pair(shop))
    // s_client takes an R at the beginning of a line for the command.
    const said = await openssl(server, ['-tls1_2'], 'R\n')
    expect(said).toContain('RENEGOTIATING')
    expect(said).toMatch(/no renegotiation|alert|closed/)
    expect(await openssl(server, ['-quiet'], REQUEST)).toContain('HTTP/1.1 200')
  })

  test('a session goes on in another acceptor (-sess_out, -sess_in)', async () => {
    const server = await start([...pair(shop), '--workers', '2', '--acceptors', '2'])
    for (const version of ['-tls1_2', '-tls1_3']) {
      const file = path(`session${version}`)
      const get = (how: string) => openssl(server, [version, how, file, '-ign_eof'], REQUEST)
      expect(await get('-sess_out')).toContain('New, TLS')
      const pids = new Set<string | undefined>()
      await waitFor('the session in both acceptors', async () => {
        const said = await get('-sess_in')
        expect(said).toContain('Reused, TLS')
        pids.add(/\n(\d+) None/.exec(said)?.[1])
        return pids.size === 2
      })
    }
  })

  test("Python's ssl verifies the server, and shows a certificate", async () => {
    const client = make({ name: 'robin', issuer: authority })
    const server = await start([
      ...pair(shop),
      ...['--cert-reqs', '2', '--ca-certs', authority.cert],
    ])
    const script = `
import socket, ssl, sys
port, ca, name, cert, key = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
if cert:
    context.load_cert_chain(cert, key)
try:
    with socket.create_connection(("127.0.0.1", int(port))) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            secure.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
            data = b""
            while chunk := secure.recv(65536):
                data += chunk
            print(secure.version(), data.decode().split("\\r\\n\\r\\n")[1] if data else "closed")
except OSError as error:
    print(type(error).__name__)
`
    const python = (name: string, cert: string, key: string) => {
      const args = ['-c', script, String(server.port), authority.cert, name, cert, key]
      return spawnSync(testPython().executable, args, { encoding: 'utf8' }).stdout
    }
    expect(python('shop.test', client.cert, client.key)).toMatch(/^TLSv1\.3 \d+ SUCCESS/)
    expect(python('other.test', client.cert, client.key)).toMatch(/^SSLCertVerificationError/)
    const refused = /^(SSL\w*Error|ConnectionResetError|(TLSv1\.3|None) closed)/
    expect(python('shop.test', '', '')).toMatch(refused)
    const stranger = make({ name: 'stranger' })
    expect(python('shop.test', stranger.cert, stranger.key)).toMatch(refused)
  })
})

describe.runIf(hasPython())('certificates that are not as they should be', () => {
  test('one that has expired, or is not valid yet, is served with a warning', async () => {
    const old = make({ name: 'old', from: -30, to: -2 })
    const early = make({ name: 'early', from: 2, to: 30 })
    const short = make({ name: 'short', from: -85, to: 5 })
    const server = await start([...pair(old), ...pair(early), ...pair(short)])
    expect(server.log()).toMatch(/WARNING\] The certificate in \S*old\.pem expired on 20/)
    expect(server.log()).toMatch(/WARNING\] The certificate in \S*early\.pem is not valid before/)
    expect(server.log()).toMatch(/WARNING\] The certificate in \S*short\.pem expires in 5 days/)
    const said = await openssl(server, ['-verify_return_error', '-CAfile', old.cert])
    expect(said).toContain('certificate has expired')
  })

  test('a key that everybody can read is a warning', async () => {
    const open = make({ name: 'open' })
    chmodSync(open.key, 0o644)
    const server = await start(pair(open))
    expect(server.log()).toMatch(/WARNING\] Every user of this machine can read the private key/)
  })

  test('an encrypted key needs its passphrase', async () => {
    const locked = make({ name: 'locked', passphrase: 'a secret' })
    const args = ['--bind', '127.0.0.1:0', ...pair(locked), 'shown:app']
    const without = await runCommand(args, { cwd: folder.path })
    expect([without.code, without.stderr]).toEqual([
      1,
      expect.stringMatching(
        /\[ERROR\] The key in \S+ is encrypted: .* --key-passphrase-file \[MONO\d{4}\]\n$/,
      ),
    ])
    writeFileSync(path('passphrase'), 'a secret\n', { mode: 0o600 })
    const server = await start([...pair(locked), '--key-passphrase-file', path('passphrase')])
    expect((await askHttps(server.port, '/')).status).toBe(200)
  })

  test.runIf(process.getuid?.() === 0)(
    'a key that only root can read serves as another user, also when it changes',
    async () => {
      const cwd = publicFolder('')
      writeFileSync(join(cwd, 'shown.mjs'), NODE_APPLICATION)
      const { cert, key } = makeCertificate(folder.path, { name: 'of-root' })
      const args = ['--user', '65534', '--group', '65534', '--certfile', cert, '--keyfile', key]
      const env = { TMPDIR: join(cwd, 'tmp') }
      const server = await startServer({ app: 'shown.mjs', cwd, args, env })
      const before = await askHttps(server.port, '/')
      expect(before.text).toBe('65534')
      makeCertificate(folder.path, { name: 'of-root' })
      await waitFor('the new certificate', async () => {
        const { certificate, text } = await askHttps(server.port, '/')
        return text === '65534' && certificate.fingerprint !== before.certificate.fingerprint
      })
    },
  )
})

const NODE_APPLICATION = `
export default (environ, start_response) => {
  start_response('200 OK', [])
  return [new TextEncoder().encode(String(process.getuid()))]
}
`

/** Clients that make a handshake for each request. */
function startClients(server: RunningServer) {
  const faults: string[] = []
  const seen = new Set<string>()
  let requests = 0
  let stopping = false
  const ask = async () => {
    try {
      const { status, certificate } = await askHttps(server.port, '/')
      if (status !== 200) faults.push(`status ${status}`)
      seen.add(certificate.subjectaltname ?? '')
      requests++
    } catch (error) {
      faults.push(String(error))
    }
  }
  const loops = Array.from({ length: 4 }, async () => {
    while (!stopping) await ask()
  })
  return {
    seen,
    count: () => requests,
    stop: async () => {
      stopping = true
      await Promise.all(loops)
      return { faults, requests }
    },
  }
}

describe.runIf(hasPython())('certificates that change under load', () => {
  const version = (number: number) =>
    make({ name: `version-${number}`, names: [`DNS:v${number}.test`] })

  async function served(server: RunningServer, name: string): Promise<void> {
    await waitFor(`the certificate of ${name}`, async () => {
      const { certificate } = await askHttps(server.port, '/')
      return certificate.subjectaltname === `DNS:${name}`
    })
  }

  test('no request fails, whichever way the files are replaced', async () => {
    const all = Array.from({ length: 6 }, (_, number) => version(number))
    // As certbot and Kubernetes do it: the names are links.
    const into = (number: number) => {
      const target = path(`data-${number}`)
      mkdirSync(target)
      writeFileSync(join(target, 'tls.crt'), all[number]!.certPem)
      writeFileSync(join(target, 'tls.key'), all[number]!.keyPem, { mode: 0o600 })
      symlinkSync(target, path('data.new'))
      renameSync(path('data.new'), path('data'))
    }
    into(0)
    symlinkSync(path('data/tls.crt'), path('tls.crt'))
    symlinkSync(path('data/tls.key'), path('tls.key'))
    const server = await start([
      ...['--certfile', path('tls.crt'), '--keyfile', path('tls.key')],
      ...['--workers', '2', '--acceptors', '2', '--keep-alive', '100'],
    ])
    const clients = startClients(server)
    // One connection stays open through all of it.
    const { Agent } = await import('node:https')
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    const kept = async () => {
      const { request } = await import('node:https')
      return await new Promise<boolean>((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port: server.port, agent }, (response) => {
          response.resume()
          response.on('end', () => resolve(sent.reusedSocket))
        })
        sent.on('error', reject)
        sent.end()
      })
    }
    await kept()
    await served(server, 'v0.test')

    into(1)
    await served(server, 'v1.test')
    expect(await kept()).toBe(true)

    // In place, one after the other, with time in between: the pair does not fit meanwhile.
    writeFileSync(path('data/tls.key'), all[2]!.keyPem)
    const before = clients.count()
    await waitFor('requests in between', () => clients.count() > before + 50)
    writeFileSync(path('data/tls.crt'), all[2]!.certPem)
    await served(server, 'v2.test')
    expect(await kept()).toBe(true)

    // A reload reads them too, at once.
    into(3)
    server.signal('SIGHUP')
    await server.waitForLog(/Using the new certificate in .*tls\.crt[\s\S]*Reloaded/)
    await served(server, 'v3.test')
    expect(await kept()).toBe(true)

    // A pair that stays broken is refused with one line, and the old one stays.
    const from = server.log().length
    writeFileSync(path('data/tls.key'), all[4]!.keyPem)
    await server.waitForLog(
      /ERROR\] Certificate files have changed, and cannot be used: The certificate in \S+ and the key in \S+ do not belong together: .* The previous certificates stay in use/,
      { from, timeout: 60_000 },
    )
    await served(server, 'v3.test')
    server.signal('SIGHUP')
    await server.waitForLog(/Reload failed; the previous application and settings stay in use/, {
      from,
    })
    await served(server, 'v3.test')
    expect(await kept()).toBe(true)
    expect(
      server
        .log()
        .slice(from)
        .match(/Certificate files have changed/g),
    ).toHaveLength(1)

    into(5)
    await served(server, 'v5.test')
    expect(await kept()).toBe(true)
    agent.destroy()
    const { faults, requests } = await clients.stop()
    expect(faults).toEqual([])
    expect(requests).toBeGreaterThan(200)
    expect([...clients.seen].sort()).toEqual([0, 1, 2, 3, 5].map((number) => `DNS:v${number}.test`))
  })

  test('a session does not go on when the rules for clients have changed', async () => {
    const config = path('rules.json')
    const settings = (rules: object) =>
      writeFileSync(
        config,
        JSON.stringify({
          certfile: shop.cert,
          keyfile: shop.key,
          ca_certs: authority.cert,
          ...rules,
        }),
      )
    settings({ cert_reqs: 0 })
    const server = await start(['--config', config])
    const first = await askHttps(server.port, '/')
    const again = await askHttps(server.port, '/', { session: first.session! })
    expect(again.reused).toBe(true)
    settings({ cert_reqs: 1 })
    server.signal('SIGHUP')
    await server.waitForLog(/\] Reloaded/)
    const after = await askHttps(server.port, '/', { session: first.session! })
    expect([after.reused, after.text]).toEqual([false, expect.stringContaining(' NONE')])
  })
})

test.runIf(hasPython())('dev_tls makes a certificate once, and says what it is', async () => {
  const env = { MONOCEROS_CACHE: path('cache') }
  const first = await start(['--dev-tls'], env)
  const fingerprint = (server: RunningServer) =>
    /Its SHA-256 fingerprint is ([0-9A-F:]{95})/.exec(server.log())?.[1]
  const ca = readFileSync(path('cache/dev-tls.pem'), 'utf8')
  for (const servername of ['localhost', '']) {
    const { status, certificate } = await askHttps(first.port, '/', { ca, servername })
    expect([status, certificate.fingerprint256]).toEqual([200, fingerprint(first)])
  }
  const second = await start(['--dev-tls'], env)
  expect(fingerprint(second)).toBe(fingerprint(first))
})

const SHOWN_VARIABLES = `
export default (environ, start_response) => {
  const names = Object.keys(environ).filter((name) => /^(SSL_|HTTPS)/.test(name)).sort()
  start_response('200 OK', [])
  const text = names.map((name) => name + "='" + environ[name] + "'").join('\\n')
  return [new TextEncoder().encode(text)]
}
`

const identity = ({ certPem, keyPem }: MadeCertificate) => ({ cert: certPem, key: keyPem })

test.runIf(hasPython())(
  'what ssl_context of a gunicorn.conf.py does becomes settings',
  async () => {
    const { cert, key } = make({ name: 'hooked' })
    const write = (...body: string[]) =>
      writeFileSync(
        path('gunicorn.conf.py'),
        [
          'import ssl',
          `certfile, keyfile = ${JSON.stringify(cert)}, ${JSON.stringify(key)}`,
          'def ssl_context(conf, default_ssl_context_factory):',
          '    context = default_ssl_context_factory()',
          ...body.map((line) => `    ${line}`),
          '    return context',
          '',
        ].join('\n'),
      )
    const print = () => runCommandHere(['--print-config', 'shown:app'], { cwd: folder.path })
    try {
      write('context.minimum_version = ssl.TLSVersion.TLSv1_3', 'context.set_ciphers("AES256")')
      const taken = await print()
      expect(JSON.parse(taken.stdout)).toMatchObject({
        certfile: [cert],
        tls_minimum: '1.3',
        ciphers: 'AES256',
      })
      write('context.sni_callback = print')
      const { code, stderr } = await print()
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(
          /: ssl_context is not supported: it sets context\.sni_callback, .*\. Use the settings of TLS instead \[MONO1110\]\n$/,
        ),
      ])
    } finally {
      rmSync(path('gunicorn.conf.py'))
    }
  },
)

test('applications in TypeScript learn of the client too', async () => {
  const client = make({ name: 'client', subject: '/O=Shop/CN=Robin', issuer: authority })
  const stranger = make({ name: 'stranger' })
  writeFileSync(path('variables.mjs'), SHOWN_VARIABLES)
  const server = await startServer({
    app: 'variables.mjs',
    cwd: folder.path,
    args: [...pair(shop), ...['--cert-reqs', '2', '--ca-certs', authority.cert]],
  })
  const { text } = await askHttps(server.port, '/', identity(client))
  expect(text).toContain(`HTTPS='on'`)
  expect(text).toContain(`SSL_CLIENT_VERIFY='SUCCESS'`)
  expect(text).toContain(`SSL_CLIENT_S_DN='CN=Robin,O=Shop'`)
  await expect(askHttps(server.port, '/', identity(stranger))).rejects.toThrow()
  await expect(askHttps(server.port, '/')).rejects.toThrow()
})

test('files that do not belong together keep the server from starting', async () => {
  const other = make({ name: 'other' })
  const args = ['--certfile', shop.cert, '--keyfile', other.key, '-b', '127.0.0.1:0', 'shown:app']
  const { code, stderr } = await runCommand(args, { cwd: folder.path })
  expect(code).toBe(1)
  expect(stderr).toMatch(/The certificate in \S+ and the key in \S+ do not belong together: give/)
  expect(stderr).not.toContain('    at ')
})

test('--check-config shows what is wrong with certificates that can be used all the same', async () => {
  const site = make({ name: 'late', from: -90, to: 3 })
  chmodSync(site.key, 0o644)
  writeFileSync(path('variables.mjs'), SHOWN_VARIABLES)
  const args = ['--check-config', ...pair(site), 'variables.mjs']
  const { code, stderr } = await runCommand(args, { cwd: folder.path })
  expect(stderr).toMatch(/\[WARNING\] Every user of this machine can read .*late\.key/)
  expect(stderr).toMatch(/\[WARNING\] The certificate in .*late\.pem expires in 3 days/)
  expect(code).toBe(0)
})

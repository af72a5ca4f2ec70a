import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { freePort } from '../support/free-port.ts'
import { configurationsOf, type ProxyName, startProxy } from '../support/proxies.ts'
import { startServer } from '../support/server.ts'
import { hasProgram } from '../support/system-program.ts'

// Real proxies with the configurations of the guide, word for word but for the ports, and an
// attacker behind them who claims to be somebody else.

const GUIDE = 'docs/guides/behind-a-proxy.md'
const ATTACKER = '127.0.0.2'

const CLAIMS = {
  'X-Forwarded-For': '10.9.9.9',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Host': 'evil.test',
  'X-Forwarded-Port': '443',
  'X-Forwarded-Prefix': '/evil',
  'X-Forwarded-Ssl': 'on',
  'X-Real-IP': '10.9.9.9',
  Forwarded: 'for=10.9.9.9;proto=https;host=evil.test',
  SCRIPT_NAME: '/evil',
}

type Environ = Record<string, string | undefined>

/** What the application sees of an attacker who comes through a proxy. */
function environOf(port: number, headers: Record<string, string>): Promise<Environ> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, localAddress: ATTACKER, agent: false }
    const sent = request({ ...options, path: '/x', headers: { Host: 'shop.test', ...headers } })
    sent.on('error', reject)
    sent.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece) => (text += piece))
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`${response.statusCode}: ${text}`))
      })
    })
    sent.end()
  })
}

interface Arrangement {
  readonly name: string
  readonly proxy: ProxyName
  readonly configuration: string
  readonly args: readonly string[]
  /** The headers of the proxy itself are those that a client may not send. */
  readonly claims: Record<string, string>
}

const LEGACY = ['--forwarded-headers', 'legacy', '--forwarder-headers', '']
const PROXY_PROTOCOL = ['--forwarded-headers', 'off', '--proxy-protocol']

const [haproxyHttp = '', haproxyTcp = ''] = configurationsOf(GUIDE, 'haproxy')
const [nginx = ''] = configurationsOf(GUIDE, 'nginx')
const [caddy = ''] = configurationsOf(GUIDE, 'caddy')
// nginx and the others pass on a header that nobody there knows; its value is left alone here.
const { 'X-Forwarded-Ssl': _, ...CLAIMS_OF_FAMILY } = CLAIMS

const arrangements: Arrangement[] = [
  { name: 'nginx', proxy: 'nginx', configuration: nginx, args: LEGACY, claims: CLAIMS_OF_FAMILY },
  {
    name: 'HAProxy',
    proxy: 'haproxy',
    configuration: haproxyHttp,
    args: LEGACY,
    claims: CLAIMS_OF_FAMILY,
  },
  { name: 'Caddy', proxy: 'caddy', configuration: caddy, args: LEGACY, claims: CLAIMS_OF_FAMILY },
  {
    name: 'HAProxy with send-proxy-v2',
    proxy: 'haproxy',
    configuration: haproxyTcp,
    args: [...PROXY_PROTOCOL, 'v2'],
    claims: CLAIMS,
  },
  {
    name: 'HAProxy with send-proxy',
    proxy: 'haproxy',
    configuration: haproxyTcp.replace('send-proxy-v2', 'send-proxy'),
    args: [...PROXY_PROTOCOL, 'v1'],
    claims: CLAIMS,
  },
]

const installed = (['nginx', 'haproxy', 'caddy'] as const).filter((name) => hasProgram(name))

for (const { name, proxy, configuration, args, claims } of arrangements) {
  describe.skipIf(!installed.includes(proxy))(name, () => {
    test.each(['app:app', './app.ts:app'])(
      'tells %s of the client, whatever that claims',
      async (app) => {
        expect(configuration).not.toBe('')
        const cwd = join(appsDirectory, 'environ')
        const server = await startServer({ app, args: [...args], cwd })
        const listen = await freePort()
        await startProxy(proxy, configuration, { listen, server: server.port })
        for (const headers of [{}, claims, {}]) {
          const environ = await environOf(listen, headers)
          expect(environ).toMatchObject({
            REMOTE_ADDR: ATTACKER,
            'wsgi.url_scheme': 'http',
            HTTP_HOST: 'shop.test',
            SCRIPT_NAME: '',
            PATH_INFO: '/x',
          })
          expect(JSON.stringify(environ)).not.toMatch(/10\.9\.9\.9|evil/)
        }
        // Health checks of the proxy end without a request, or with LOCAL.
        expect(server.log()).not.toMatch(/WARNING|ERROR/)
      },
    )
  })
}

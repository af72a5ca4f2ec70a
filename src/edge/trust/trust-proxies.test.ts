import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import {
  CLIENT,
  IGNORING,
  parseHead,
  ScriptedEngine,
} from '../../../tests/support/scripted-engine.ts'
import type { HeaderMap } from '../../http/limits.ts'
import type { Peer } from '../../http/peer.ts'
import { clientOf, type RequestHead } from '../../http/request-head.ts'
import { RequestEvents } from '../../observe/request-events.ts'
import { type TrustOptions, trustProxies } from './trust-proxies.ts'

const HEADER = { clientAddress: '192.0.2.7', clientPort: 4711, secure: false }

const USUAL: TrustOptions = {
  proxies: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'],
  secureHeaders: { 'X-FORWARDED-PROTO': 'https', 'X-FORWARDED-SSL': 'on' },
  forwarderHeaders: ['SCRIPT_NAME', 'PATH_INFO', 'REMOTE_USER'],
  headerMap: 'drop',
  forwardedHeaders: null,
}

/** What a request is for the handlers after the trust. */
interface Trusted {
  readonly head: RequestHead
  /** As `address:port`; the port may be empty. */
  readonly client: string
  readonly host: string
  readonly fields: readonly string[]
}

function setUp(options: Partial<TrustOptions> = {}, peer: Partial<Peer> = {}) {
  const reasons: string[] = []
  const events = new RequestEvents(() => {})
  events.requestRefused.subscribe(({ reason }) => reasons.push(reason))
  const heads: RequestHead[] = []
  const originals: RequestHead[] = []
  const all = { ...USUAL, ...options }
  const handler = trustProxies(
    all,
    events,
  )((head) => {
    heads.push(head)
    return IGNORING
  })
  const engine = new ScriptedEngine({ ...CLIENT, remoteAddress: '10.0.0.1', ...peer })
  const forwarderHeaders = new Set(all.forwarderHeaders.map((name) => name.toLowerCase()))
  const request = (...fields: string[]): Trusted | string => {
    const lines = fields.map((field) => `${field}\r\n`).join('')
    const text = `GET /shop/x HTTP/1.1\r\nHost: here\r\n${lines}\r\n`
    const original = parseHead(text, { headerMap: all.headerMap, forwarderHeaders })
    originals.push(original)
    heads.length = 0
    engine.said.length = 0
    handler(original, engine).begin()
    const [head] = heads
    if (head === undefined) return engine.said.join()
    const { remoteAddress, remotePort } = clientOf(head, engine)
    return {
      head,
      client: `${remoteAddress}:${remotePort || ''}`,
      host: head.hasAuthority
        ? head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
        : head.get('host')!,
      fields: head.names.map((name, i) => `${name.lower}: ${head.value(i)}`).slice(1),
    }
  }
  const trusted = (...fields: string[]): Trusted => {
    const found = request(...fields)
    if (typeof found === 'string') throw new Error(`refused: ${reasons.at(-1)}`)
    return found
  }
  return { reasons, request, trusted, originals }
}

const PROXY = '10.0.0.1:4711'

describe('without forwarded_headers, as in Gunicorn', () => {
  it('takes the scheme, and leaves the address and all fields', () => {
    const { trusted } = setUp()
    const fields = ['X-Forwarded-Proto: https', 'X-Forwarded-For: 6.6.6.6', 'Forwarded: for=x']
    const { head, client, fields: left } = trusted(...fields)
    expect(head.secure).toBe(true)
    expect(client).toBe(PROXY)
    expect(left).toEqual(fields.map((field) => field.replace(/^[^:]+/, (n) => n.toLowerCase())))
    expect(trusted('X-Forwarded-Proto: http').head.secure).toBe(false)
    expect(trusted().head.secure).toBe(false)
  })

  it('gives the head on as it is', () => {
    const { trusted, originals } = setUp()
    expect(trusted('X-Forwarded-For: 1.2.3.4').head).toBe(originals[0])
  })

  it('refuses a request whose headers contradict each other', () => {
    const { request, reasons } = setUp()
    expect(request('X-Forwarded-Proto: https', 'X-Forwarded-Ssl: off')).toBe('refuse 400 close')
    expect(reasons).toEqual(['the headers of the proxy contradict each other about the scheme'])
  })

  it('takes an encrypted connection for HTTPS if no proxy says otherwise', () => {
    expect(setUp({}, { encrypted: true }).trusted().head.secure).toBe(true)
  })

  it('trusts who has connected, whomever a header of the PROXY protocol names', () => {
    const proxied = {
      ...HEADER,
      protocol: 'TCP4',
      proxyAddress: '',
      proxyPort: 0,
      sender: '10.0.0.1',
    }
    const from = { remoteAddress: '6.6.6.6', proxied }
    expect(setUp({}, from).trusted('X-Forwarded-Proto: https').head.secure).toBe(true)
    const strict = setUp({ forwardedHeaders: 'legacy' }, from)
    expect(strict.trusted('X-Forwarded-Proto: https').head.secure).toBe(false)
  })
})

describe('forwarder_headers', () => {
  const stranger = { remoteAddress: '6.6.6.6' }

  test.each<HeaderMap>(['drop', 'refuse'])(
    'are kept of proxies, with header_map %s',
    (headerMap) => {
      for (const forwardedHeaders of [null, 'legacy', 'standard'] as const) {
        const { trusted } = setUp({ headerMap, forwardedHeaders })
        const { head, fields } = trusted('SCRIPT_NAME: /shop/', 'REMOTE_USER: eve')
        expect(head.scriptName, String(forwardedHeaders)).toBe('/shop')
        expect(fields).toEqual(['script_name: /shop/', 'remote_user: eve'])
      }
    },
  )

  it('are dropped of others', () => {
    for (const forwardedHeaders of [null, 'off', 'legacy', 'standard'] as const) {
      const { trusted } = setUp({ forwardedHeaders }, stranger)
      const { head, fields } = trusted('SCRIPT_NAME: /shop', 'A: b', 'REMOTE_USER: eve')
      expect(head.scriptName).toBe(null)
      expect(fields).toEqual(['a: b'])
    }
  })

  it('are refused of others with header_map refuse', () => {
    const { request, reasons } = setUp({ headerMap: 'refuse' }, stranger)
    expect(request('REMOTE_USER: eve')).toBe('refuse 400 close')
    expect(reasons).toEqual([
      'the header "remote_user" is only for the proxies of forwarded_allow_ips',
    ])
  })

  it('do not let SCRIPT_NAME of others count, even with header_map dangerous', () => {
    const { trusted } = setUp({ headerMap: 'dangerous' }, stranger)
    const { head, fields } = trusted('SCRIPT_NAME: /shop')
    expect(head.scriptName).toBe(null)
    expect(fields).toEqual(['script_name: /shop'])
  })

  it('are all names with underscores with *', () => {
    expect(setUp({ forwarderHeaders: ['*'] }).trusted('X_Y: 1').fields).toEqual(['x_y: 1'])
    expect(setUp({ forwarderHeaders: ['*'] }, stranger).trusted('X_Y: 1').fields).toEqual([])
  })

  test.each(['shop', '//evil.example', '/a b', 'http://x/'])('refuse SCRIPT_NAME: %s', (name) => {
    expect(setUp().request(`SCRIPT_NAME: ${name}`)).toBe('refuse 400 close')
  })
})

describe('the client with legacy headers', () => {
  test.each<[string, string[], string]>([
    ['one proxy', ['1.2.3.4'], '1.2.3.4:'],
    ['what the client has sent to the left', ['6.6.6.6, 1.2.3.4'], '1.2.3.4:'],
    ['two proxies', ['6.6.6.6, 1.2.3.4, 10.2.3.4'], '1.2.3.4:'],
    ['several fields', ['6.6.6.6', '1.2.3.4', '10.2.3.4'], '1.2.3.4:'],
    ['proxies alone', ['10.0.0.3, 10.0.0.2'], '10.0.0.3:'],
    ['empty elements', [', ,1.2.3.4,, 10.2.3.4 ,,'], '1.2.3.4:'],
    ['an empty field', [''], PROXY],
    ['a port', ['1.2.3.4:5678'], '1.2.3.4:5678'],
    ['IPv6', ['2001:db8::1'], '2001:db8::1:'],
    ['IPv6 in brackets', ['[2001:db8::1]'], '2001:db8::1:'],
    ['IPv6 with a port', ['[2001:db8::1]:99'], '2001:db8::1:99'],
    ['IPv6 proxies', ['2001:db8::1, [fd00::7]:99'], '2001:db8::1:'],
    ['a mapped address of a proxy', ['1.2.3.4, ::ffff:10.0.0.2'], '1.2.3.4:'],
    ['quotes', ['"[2001:db8::1]:99"'], '2001:db8::1:99'],
    ['a quote of the client', ['", 1.2.3.4'], '1.2.3.4:'],
    ['unknown', ['6.6.6.6, unknown'], ':'],
    ['an obfuscated name', ['6.6.6.6, _hidden'], ':'],
    ['a dash', ['-'], ':'],
    ['a name', ['6.6.6.6, localhost'], ':'],
    ['a number', ['6.6.6.6, 167772161'], ':'],
    ['octal', ['6.6.6.6, 010.0.0.1'], ':'],
    ['garbage behind a proxy', ['6.6.6.6, \xff;<>, 10.0.0.9'], ':'],
    ['a port out of range', ['1.2.3.4:65536'], ':'],
    ['a zone', ['fe80::1%eth0'], ':'],
  ])('%s', (_, lists, expected) => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' })
    expect(trusted(...lists.map((list) => `X-Forwarded-For: ${list}`)).client).toBe(expected)
  })

  it('is the peer if it is no proxy, and then the fields are removed', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' }, { remoteAddress: '6.6.6.6' })
    const { client, fields, head, host } = trusted(
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Port: 1',
      'X-Forwarded-Prefix: /evil',
      'X-Forwarded-Ssl: on',
      'X-Forwarded-Client-Cert: evil',
      'X-Real-IP: 127.0.0.1',
      'Forwarded: for=127.0.0.1;proto=https;host=evil.example',
      'Accept: a',
    )
    expect(client).toBe('6.6.6.6:4711')
    expect(fields).toEqual(['accept: a'])
    expect(head.secure).toBe(false)
    expect(head.scriptName).toBe(null)
    expect(host).toBe('here')
  })

  it('is not found through *, which only says that whoever connects is a proxy', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy', proxies: ['*'] })
    expect(trusted('X-Forwarded-For: 6.6.6.6, 1.2.3.4').client).toBe('1.2.3.4:')
    const both = setUp({ forwardedHeaders: 'legacy', proxies: ['*', '10.0.0.0/8'] })
    expect(both.trusted('X-Forwarded-For: 1.2.3.4, 10.9.9.9').client).toBe('1.2.3.4:')
  })

  it('is found for a proxy at a unix socket', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' }, { remoteAddress: '', remotePort: 0 })
    expect(trusted('X-Forwarded-For: 6.6.6.6, 1.2.3.4').client).toBe('1.2.3.4:')
  })

  it('is not looked for beyond 32 proxies', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' })
    const proxies = Array.from({ length: 40 }, (_, i) => `10.0.0.${i}`)
    expect(trusted(`X-Forwarded-For: 6.6.6.6, ${proxies.join(', ')}`).client).toBe('10.0.0.8:')
  })

  it('costs no more for a list of thousands', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' })
    const list = `${'6.6.6.6,'.repeat(900)} 1.2.3.4`
    const { client, fields } = trusted(`X-Forwarded-For: ${list}`)
    expect(client).toBe('1.2.3.4:')
    expect(fields).toEqual(['x-forwarded-for: 1.2.3.4'])
  })

  it('belongs to one request: the next one on the connection has its own', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' })
    const first = trusted('X-Forwarded-For: 1.1.1.1')
    const second = trusted('X-Forwarded-For: 2.2.2.2')
    expect([first.client, second.client, trusted().client]).toEqual(['1.1.1.1:', '2.2.2.2:', PROXY])
    first.head.client!.environPart = {}
    expect(second.head.client!.environPart).toBe(null)
  })

  it('leaves of a list only what proxies have written', () => {
    const { trusted, originals } = setUp({ forwardedHeaders: 'legacy' })
    const fields = ['X-Forwarded-For: 6.6.6.6', 'A: b', 'X-Forwarded-For: 7.7.7.7, 1.2.3.4']
    expect(trusted(...fields, 'X-Forwarded-For: 10.0.0.2').fields).toEqual([
      'a: b',
      'x-forwarded-for: 1.2.3.4',
      'x-forwarded-for: 10.0.0.2',
    ])
    // For the log.
    expect(originals[0]!.get('x-forwarded-for')).toBe('6.6.6.6, 7.7.7.7, 1.2.3.4, 10.0.0.2')
  })

  it('removes Forwarded, which the proxy may have passed on', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' })
    expect(trusted('Forwarded: for=1.1.1.1').fields).toEqual([])
  })

  it('removes X-Real-IP unless it says the same', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy' })
    const list = 'X-Forwarded-For: 1.2.3.4'
    const [same, other] = ['X-Real-IP: 1.2.3.4', 'X-Real-IP: 10.0.0.9']
    expect(trusted(list, same).fields).toEqual(['x-forwarded-for: 1.2.3.4', 'x-real-ip: 1.2.3.4'])
    expect(trusted(list, other).fields).toEqual(['x-forwarded-for: 1.2.3.4'])
    expect(trusted(other).fields).toEqual([])
  })

  it('removes names that an environ would take for those of the proxy', () => {
    const { trusted } = setUp({ forwardedHeaders: 'legacy', headerMap: 'dangerous' })
    expect(trusted('X_Forwarded_For: 1.1.1.1', 'X_A: b').fields).toEqual(['x_a: b'])
  })
})

describe('the rest of legacy headers', () => {
  const legacy = () => setUp({ forwardedHeaders: 'legacy' })
  const two = 'X-Forwarded-For: 1.2.3.4, 10.0.0.2'

  test.each<[string, string[], boolean]>([
    ['one value', ['X-Forwarded-Proto: https'], true],
    ['in any case', ['X-Forwarded-Proto: HTTPS'], true],
    ['http', ['X-Forwarded-Proto: http'], false],
    ['the last of one proxy', ['X-Forwarded-Proto: https, http'], false],
    ['the place of the client', [two, 'X-Forwarded-Proto: http, https, http'], true],
    ['one value of two proxies', [two, 'X-Forwarded-Proto: https'], true],
    ['another header', ['X-Forwarded-Ssl: on'], true],
    ['two that agree', ['X-Forwarded-Ssl: on', 'X-Forwarded-Proto: https'], true],
  ])('scheme: %s', (_, fields, secure) => {
    expect(legacy().trusted(...fields).head.secure).toBe(secure)
  })

  it('are refused if they contradict each other', () => {
    expect(legacy().request('X-Forwarded-Ssl: on', 'X-Forwarded-Proto: http')).toBe(
      'refuse 400 close',
    )
  })

  test.each<[string[], string]>([
    [['X-Forwarded-Host: shop.example'], 'shop.example'],
    [['X-Forwarded-Host: evil.example, shop.example:81'], 'shop.example:81'],
    [[two, 'X-Forwarded-Host: evil.example, shop.example, inner'], 'shop.example'],
    [['X-Forwarded-Host: [2001:db8::1]:81'], '[2001:db8::1]:81'],
    [['X-Forwarded-Host: evil.example/path'], 'here'],
    [['X-Forwarded-Host: evil@example'], 'here'],
    [['X-Forwarded-Port: 8443'], 'here:8443'],
    [['X-Forwarded-Port: 80'], 'here'],
    [['X-Forwarded-Port: 443', 'X-Forwarded-Proto: https'], 'here'],
    [['X-Forwarded-Port: 443'], 'here:443'],
    [['X-Forwarded-Port: 0443', 'X-Forwarded-Host: a:1'], 'a:443'],
    [['X-Forwarded-Port: 65536'], 'here'],
    [['X-Forwarded-Port: x'], 'here'],
  ])('host and port: %j', (fields, host) => {
    const found = legacy().trusted(...fields)
    expect(found.host).toBe(host)
    // It names the server too.
    expect(found.head.client?.localAddress ?? '127.0.0.1').toBe(
      host === 'here' && !fields.some((f) => /Port: (80|443)$/.test(f)) ? '127.0.0.1' : '',
    )
  })

  test.each<[string, string | null]>([
    ['/shop', '/shop'],
    ['/shop/', '/shop'],
    ['/', ''],
    ['//evil.example', null],
    ['shop', null],
  ])('prefix: %s', (prefix, expected) => {
    const { trusted } = legacy()
    expect(trusted(`X-Forwarded-Prefix: ${prefix}`).head.scriptName).toBe(expected)
  })
})

describe('Forwarded', () => {
  const standard = (proxies = USUAL.proxies) => setUp({ forwardedHeaders: 'standard', proxies })

  test.each<[string, string[], string, string, boolean]>([
    ['an address', ['for=1.2.3.4'], '1.2.3.4:', 'here', false],
    ['the client', ['for=6.6.6.6;proto=http, for=1.2.3.4;proto=https'], '1.2.3.4:', 'here', true],
    [
      'two proxies, of which the outer one counts',
      ['for=6.6.6.6;host=evil, for=1.2.3.4;proto=https;host=shop.example, for=10.0.0.2;proto=http'],
      '1.2.3.4:',
      'shop.example',
      true,
    ],
    [
      'several fields',
      ['for=6.6.6.6', 'for=1.2.3.4;proto=https', 'for=10.9.9.9'],
      '1.2.3.4:',
      'here',
      true,
    ],
    ['IPv6 with a port', ['For="[2001:db8::1]:99";Host="a:81"'], '2001:db8::1:99', 'a:81', false],
    ['unknown', ['for=6.6.6.6, for=unknown;proto=https'], ':', 'here', true],
    ['an obfuscated name', ['for=6.6.6.6, for="_a:_b"'], ':', 'here', false],
    ['no for', ['for=6.6.6.6, proto=https'], ':', 'here', true],
    ['quotes and commas', ['for=1.2.3.4;x="a, for=10.0.0.9"'], '1.2.3.4:', 'here', false],
    ['an open quote of the client', ['for="6.6.6.6', 'for=1.2.3.4'], '1.2.3.4:', 'here', false],
    ['empty elements', [',, for=1.2.3.4 ,'], '1.2.3.4:', 'here', false],
    ['no element', [''], PROXY, 'here', false],
    ['garbage of the client', ['for=a=b;;"x, for=1.2.3.4'], '1.2.3.4:', 'here', false],
  ])('%s', (_, lists, client, host, secure) => {
    const found = standard().trusted(...lists.map((list) => `Forwarded: ${list}`))
    expect([found.client, found.host, found.head.secure]).toEqual([client, host, secure])
  })

  test.each([
    'for=1.2.3.4 proto=https',
    'for=1.2.3.4;proto=ftp',
    'for=1.2.3.4;host="a/b"',
    'for=1.2.3.4;for=1.2.3.4',
    'for=2001:db8::1',
    'for="1.2.3.4:99999"',
    'for=6.6.6.6, for=what, for=10.0.0.2',
    'garbage',
    '"',
  ])('refuses %s of a proxy', (list) => {
    const { request, reasons } = standard()
    expect(request(`Forwarded: ${list}`)).toBe('refuse 400 close')
    expect(reasons[0]).toContain('the proxy has sent a malformed Forwarded: "')
  })

  it('removes what is not checked', () => {
    const { trusted } = standard()
    const fields = ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-Proto: https', 'X-Real-IP: 1.1.1.1']
    const others = ['X-Forwarded-User: eve', 'Forwarded: for=6.6.6.6, for=1.2.3.4']
    const { fields: left, head } = trusted(...fields, ...others)
    expect(left).toEqual(['x-forwarded-user: eve', 'forwarded: for=1.2.3.4'])
    expect(head.secure).toBe(false)
  })
})

it('off removes all of them from everybody', () => {
  const { trusted } = setUp({ forwardedHeaders: 'off' })
  const { fields, client, head } = trusted(
    'X-Forwarded-For: 1.1.1.1',
    'X-Forwarded-Proto: https',
    'Forwarded: for=1.1.1.1',
    'SCRIPT_NAME: /x',
    'Accept: a',
  )
  expect([fields, client, head.secure, head.scriptName]).toEqual([
    ['accept: a'],
    PROXY,
    false,
    null,
  ])
})

it('never takes a client to the left of one that is no proxy', () => {
  const address = fc.ipV4().filter((ip) => !ip.startsWith('10.') && !ip.startsWith('127.'))
  const { trusted } = setUp({ forwardedHeaders: 'legacy' })
  fc.assert(
    fc.property(
      fc.string({ maxLength: 80 }).map((text) => text.replace(/[^\x20-\x7e]/g, '"')),
      address,
      fc.array(
        fc.integer({ min: 0, max: 255 }).map((n) => `10.7.0.${n}`),
        { maxLength: 5 },
      ),
      (claimed, client, proxies) => {
        const list = [claimed, client, ...proxies].join(', ')
        expect(trusted(`X-Forwarded-For: ${list}`).client).toBe(`${client}:`)
      },
    ),
  )
})

it('never throws anything but refusals, whatever the fields are', () => {
  for (const forwardedHeaders of ['legacy', 'standard'] as const) {
    const { request } = setUp({ forwardedHeaders })
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom('Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Port'),
            fc.string({ unit: fc.constantFrom(...'for=;,"\\[]:.10 ahost') }),
          ),
          { maxLength: 6 },
        ),
        (fields) => {
          const found = request(...fields.map(([name, value]) => `${name}: ${value}`))
          expect(typeof found === 'string' ? found : 'taken').toMatch(/^(taken|refuse 400 close)$/)
        },
      ),
    )
  }
})

import type { RequestSink } from '../../http/exchange.ts'
import { WELL_KNOWN_NAMES } from '../../http/field-names.ts'
import type { HeaderMap } from '../../http/limits.ts'
import type { Peer } from '../../http/peer.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import { splitAuthority } from '../../semantics/authority.ts'
import type { EdgeHandler } from '../chain.ts'
import { RefusedRequest } from '../refused-request.ts'
import { ForwardedClient } from './forwarded-client.ts'
import { ForwardedHead } from './forwarded-head.ts'
import type { ForwardedRequest, ListStart } from './forwarded-request.ts'
import { ForwarderHeaders, withoutSlashes } from './forwarder-headers.ts'
import { readLegacyFields } from './legacy-fields.ts'
import { ProxyTrust } from './proxy-trust.ts'
import { readStandardField } from './standard-field.ts'
import { TrustError } from './trust-error.ts'

/** What is trusted, and from whom. */
export interface TrustOptions {
  /** Addresses and networks of proxies; `*` for whoever connects. */
  readonly proxies: readonly string[]
  /** By which headers a proxy says that the client used HTTPS: name → value. */
  readonly secureHeaders: Readonly<Record<string, string>>
  /** Names with underscores that only proxies may send; `*` for all. */
  readonly forwarderHeaders: readonly string[]
  readonly headerMap: HeaderMap
  /**
   * Which headers tell of the client: none (`off`), `X-Forwarded-For` and those that belong to it
   * (`legacy`), or `Forwarded` (`standard`). The others are removed, and all from peers that are
   * not trusted. Null for Gunicorn's rule: only the scheme is taken, and nothing is removed.
   */
  readonly forwardedHeaders: 'off' | 'legacy' | 'standard' | null
}

/** Brings a request into the form that the handlers after this one may believe. */
type Rule = (head: RequestHead, peer: Peer) => RequestHead

/**
 * Finds out what the client of a proxy has asked for, and who it is, as far as trusted proxies say
 * it. A request of which a proxy says something contradictory is refused with 400.
 */
export function trustProxies(options: TrustOptions, events: RequestEvents): EdgeHandler {
  const trust = new ProxyTrust(options.proxies, options.secureHeaders)
  const forwarders = new ForwarderHeaders(options.forwarderHeaders, options.headerMap)
  const rule =
    options.forwardedHeaders === null
      ? gunicornRule(trust, forwarders)
      : resolvingRule(trust, forwarders, options.forwardedHeaders)
  return (next) =>
    (head, reply): RequestSink => {
      let trusted: RequestHead
      try {
        trusted = rule(head, reply.peer)
      } catch (error) {
        if (!(error instanceof TrustError)) throw error
        const refusal = { status: 400, reason: error.message, fields: [] }
        return new RefusedRequest(head, reply, refusal, events)
      }
      return next(trusted, reply)
    }
}

/** Only the scheme, and `SCRIPT_NAME`. */
function gunicornRule(trust: ProxyTrust, forwarders: ForwarderHeaders): Rule {
  return (head, peer) => {
    head.secure = trust.isSecure(head, peer)
    return trust.sawUnderscore ? withForwarderHeaders(head, peer) : head
  }

  function withForwarderHeaders(head: RequestHead, peer: Peer): RequestHead {
    const trusted = trust.trustsSender(peer)
    if (trusted) head.scriptName = forwarders.scriptName(head)
    const kept = new ForwardedHead(head)
    for (let i = 0; i < head.fieldCount; i++) {
      const { hasUnderscore, lower } = head.names[i]!
      if (!hasUnderscore || forwarders.keeps(lower, trusted)) kept.add(i)
    }
    return kept.fieldCount === head.fieldCount ? head : kept
  }
}

function resolvingRule(
  trust: ProxyTrust,
  forwarders: ForwarderHeaders,
  mode: 'off' | 'legacy' | 'standard',
): Rule {
  const forwarding = WELL_KNOWN_NAMES.map((name) => isForwarding(name, trust))

  return (head, peer) => {
    head.secure = peer.encrypted
    if (!hasForwardingFields(head)) return head
    const trusted = mode !== 'off' && trust.trusts(peer)
    if (!trusted) {
      // For those who must know that a proxy may be involved.
      head.client = new ForwardedClient(peer, peer.remoteAddress, peer.remotePort, false)
      return screened(head, false, null)
    }
    const said = take(head, peer)
    const kept = screened(head, true, said.from)
    const authority = authorityOf(said, head)
    if (authority !== null) kept.setAuthority(authority)
    return kept
  }

  function hasForwardingFields(head: RequestHead): boolean {
    for (let i = 0; i < head.fieldCount; i++) {
      const { id, lower, hasUnderscore } = head.names[i]!
      if (id >= 0 ? forwarding[id] : hasUnderscore || isForwarding(lower, trust)) return true
    }
    return false
  }

  /** Notes in the head what the proxies say of the client. */
  function take(head: RequestHead, peer: Peer): ForwardedRequest {
    const isProxy = (address: string) => trust.isProxy(address)
    let said: ForwardedRequest
    if (mode === 'standard') {
      said = readStandardField(head, isProxy)
      head.secure = said.secure ?? peer.encrypted
    } else {
      const legacy = readLegacyFields(head, isProxy)
      head.secure = trust.isSecureBy(head, legacy.proto, peer)
      said = legacy
    }
    const { client, host, port, prefix } = said
    head.scriptName = prefix === null ? forwarders.scriptName(head) : withoutSlashes(prefix)
    const namesServer = host !== null || port !== null
    const address = client === null ? peer.remoteAddress : client.address
    const clientPort = client === null ? peer.remotePort : Number(client.port)
    head.client = new ForwardedClient(peer, address, clientPort, namesServer)
    return said
  }

  /** The head without the fields that are not believed. */
  function screened(head: RequestHead, trusted: boolean, from: ListStart | null): ForwardedHead {
    const kept = new ForwardedHead(head)
    const list = mode === 'standard' ? 'forwarded' : 'x-forwarded-for'
    for (let i = 0; i < head.fieldCount; i++) {
      const { lower, hasUnderscore } = head.names[i]!
      if (hasUnderscore) {
        // In an environ it would have the name of one that only proxies may send.
        if (isForwarding(lower.replaceAll('_', '-'), trust)) continue
        if (forwarders.keeps(lower, trusted)) kept.add(i)
      } else if (!isForwarding(lower, trust)) {
        kept.add(i)
      } else if (lower === 'x-real-ip') {
        // Not all proxies set it, and others pass on what the client has sent.
        if (trusted && mode === 'legacy' && head.value(i) === head.client?.remoteAddress)
          kept.add(i)
      } else if (trusted && isChosen(lower)) {
        if (lower !== list || from === null || i > from.field) kept.add(i)
        // What is to the left of the client may be the client's, and was not read.
        else if (i === from.field) kept.add(i, from.start)
      }
    }
    return kept
  }

  /** Whether a field belongs to the family that the proxies send. */
  function isChosen(lowerName: string): boolean {
    if (mode === 'standard')
      return lowerName === 'forwarded' || !OTHER_THAN_FORWARDED.has(lowerName)
    return lowerName !== 'forwarded'
  }
}

/** What says the same as `Forwarded`: with `standard`, nobody has checked it. */
const OTHER_THAN_FORWARDED: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-real-ip',
])

/** Whether only proxies send such a field. */
function isForwarding(lowerName: string, trust: ProxyTrust): boolean {
  return (
    lowerName === 'forwarded' ||
    lowerName === 'x-real-ip' ||
    lowerName.startsWith('x-forwarded-') ||
    trust.isSchemeHeader(lowerName)
  )
}

/**
 * What `HTTP_HOST` becomes, or null if it stays. The usual port of the scheme is left out: browsers
 * do so, and applications compare it with what browsers send.
 */
function authorityOf({ host, port }: ForwardedRequest, head: RequestHead): string | null {
  if (host === null && port === null) return null
  const asked = host ?? requestedAuthority(head)
  if (asked === '') return null
  if (port === null) return asked
  const name = splitAuthority(asked)?.host ?? asked
  const number = String(Number(port))
  return number === (head.secure ? '443' : '80') ? name : `${name}:${number}`
}

function requestedAuthority(head: RequestHead): string {
  return head.hasAuthority
    ? head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
    : (head.get('host') ?? '')
}

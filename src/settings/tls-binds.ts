/** Which of the addresses to listen on use TLS. */
import { type Coded, coded } from '../messages/coded.ts'
import {
  type BindAddress,
  formatBindAddress,
  formatSocketAddress,
  parseBindAddress,
} from './bind-address.ts'
import { SettingsError } from './settings-error.ts'
import type { Settings } from './table.ts'

type TlsSettings = Pick<Settings, 'bind' | 'certfile' | 'keyfile' | 'devTls' | 'httpRedirect'>

/**
 * The addresses of `bind` and of `http_redirect`. If there is a certificate and none of `bind` says
 * `tls:`, all of these use TLS, as in Gunicorn.
 */
export function bindAddresses(settings: TlsSettings): readonly BindAddress[] {
  return [...bound(settings), ...redirectAddresses(settings)]
}

function bound(settings: TlsSettings): readonly BindAddress[] {
  const { bind } = settings
  if (bind.some((address) => address.tls)) return bind
  return bind.map((address) => withTls(address, settings))
}

/** A port alone is that port at the addresses of HTTPS. */
function redirectAddresses(settings: TlsSettings): readonly BindAddress[] {
  const texts = settings.httpRedirect.flatMap((text) => {
    if (!isPort(text)) return [text]
    const hosts = bound(settings).flatMap((one) => (one.tls && one.kind === 'tcp' ? [one] : []))
    if (hosts.length === 0) return [`0.0.0.0:${text}`]
    return hosts.map((one) => formatSocketAddress({ ...one, port: Number(text) }))
  })
  return [...new Set(texts)].map((text) => ({ ...parseBindAddress(text), redirects: true }))
}

/** Whether an address of `http_redirect` is a port alone. */
export function isPort(text: string): boolean {
  return /^[0-9]+$/.test(text)
}

/** Whether any connection uses TLS. */
export function usesTls(settings: Pick<Settings, 'certfile' | 'devTls'>): boolean {
  return settings.certfile.length > 0 || settings.devTls
}

/**
 * An address as it is to be listened on, also one that `bind` does not list: a socket of systemd.
 */
export function withTls(address: BindAddress, settings: TlsSettings): BindAddress {
  const { bind } = settings
  const name = formatSocketAddress(address)
  const { tls: _, ...plain } = address
  const chosen = bind.some((one) => one.tls)
  const secure = chosen
    ? bind.some((one) => one.tls && formatSocketAddress(one) === name)
    : usesTls(settings)
  return secure ? { ...plain, tls: true } : plain
}

/** @throws SettingsError if an address wants TLS and there is no certificate, or wants both */
export function checkTlsBinds(settings: TlsSettings): void {
  const { bind, certfile, keyfile, devTls, httpRedirect } = settings
  if (devTls && certfile.length > 0)
    throw refused(
      coded('MONO1041', 'dev_tls makes a certificate, and certfile has one; remove one of them'),
    )
  // Without the refusal, the server would speak plain HTTP.
  if (keyfile.length > 0 && certfile.length === 0)
    throw refused(
      coded('MONO1042', `keyfile ${keyfile[0]} has no certificate: give that with --certfile`),
    )
  const secure = bind.filter((address) => address.tls)
  const [first] = secure
  if (first !== undefined && !usesTls(settings))
    throw refused(
      coded(
        'MONO1042',
        `bind ${formatBindAddress(first)} needs a certificate: give it with --certfile`,
      ),
    )
  if (httpRedirect.length > 0 && !usesTls(settings))
    throw refused(
      coded(
        'MONO1042',
        `http_redirect ${httpRedirect.join(',')} needs HTTPS to redirect to: ` +
          'give a certificate with --certfile',
      ),
    )
  const anyPort = (address: BindAddress) => address.kind === 'tcp' && address.port === 0
  const plain = new Set(bind.filter((one) => !one.tls).map(formatSocketAddress))
  const both = secure.find((one) => !anyPort(one) && plain.has(formatSocketAddress(one)))
  if (both !== undefined)
    throw refused(
      coded(
        'MONO1043',
        `bind has ${formatSocketAddress(both)} both with tls: and without; remove one of them`,
      ),
    )
  const all = new Set(bind.map(formatSocketAddress))
  const taken = redirectAddresses(settings).find(
    (one) => !anyPort(one) && all.has(formatSocketAddress(one)),
  )
  if (taken !== undefined)
    throw refused(
      coded(
        'MONO1043',
        `http_redirect and bind both have ${formatSocketAddress(taken)}; use another port`,
      ),
    )
}

function refused(text: Coded): SettingsError {
  return new SettingsError('bad-value', text)
}

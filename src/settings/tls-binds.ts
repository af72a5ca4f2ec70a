/** Which of the addresses to listen on use TLS. */
import { type BindAddress, formatBindAddress, formatSocketAddress } from './bind-address.ts'
import { SettingsError } from './settings-error.ts'
import type { Settings } from './table.ts'

type TlsSettings = Pick<Settings, 'bind' | 'certfile'>

/**
 * The addresses of `bind`. If there is a certificate and none of them says `tls:`, all use TLS, as
 * in Gunicorn.
 */
export function bindAddresses(settings: TlsSettings): readonly BindAddress[] {
  return settings.bind.map((address) => withTls(address, settings))
}

/** Whether any connection uses TLS. */
export function usesTls(settings: TlsSettings): boolean {
  return settings.certfile.length > 0
}

/**
 * An address as it is to be listened on, also one that `bind` does not list: a socket of systemd.
 */
export function withTls(address: BindAddress, { bind, certfile }: TlsSettings): BindAddress {
  const name = formatSocketAddress(address)
  const { tls: _, ...plain } = address
  const chosen = bind.some((one) => one.tls)
  const secure = chosen
    ? bind.some((one) => one.tls && formatSocketAddress(one) === name)
    : certfile.length > 0
  return secure ? { ...plain, tls: true } : plain
}

/** @throws SettingsError if an address wants TLS and there is no certificate, or wants both */
export function checkTlsBinds({ bind, certfile }: TlsSettings): void {
  const secure = bind.filter((address) => address.tls)
  const [first] = secure
  if (first === undefined) return
  if (certfile.length === 0)
    throw new SettingsError(
      'bad-value',
      `bind ${formatBindAddress(first)} needs a certificate: give it with --certfile`,
    )
  const anyPort = (address: BindAddress) => address.kind === 'tcp' && address.port === 0
  const plain = new Set(bind.filter((one) => !one.tls).map(formatSocketAddress))
  const both = secure.find((one) => !anyPort(one) && plain.has(formatSocketAddress(one)))
  if (both !== undefined)
    throw new SettingsError(
      'bad-value',
      `bind has ${formatSocketAddress(both)} both with tls: and without; remove one of them`,
    )
}

import { describe, expect, test } from 'vitest'
import { formatBindAddress, parseBindAddress } from './bind-address.ts'
import { SettingsError } from './settings-error.ts'
import { bindAddresses, checkTlsBinds, withTls } from './tls-binds.ts'

function settings(bind: readonly string[], certfile: string | null, httpRedirect: string[] = []) {
  return {
    bind: bind.map(parseBindAddress),
    certfile: certfile === null ? [] : [certfile],
    devTls: false,
    httpRedirect,
  }
}

describe('which addresses use TLS', () => {
  test.each([
    ['none without a certificate', ['a:1', 'unix:/b'], null, ['a:1', 'unix:/b']],
    ['all with a certificate', ['a:1', 'unix:/b'], 'c.pem', ['tls:a:1', 'tls:unix:/b']],
    ['those that say so, if any does', ['a:1', 'tls:b:2'], 'c.pem', ['a:1', 'tls:b:2']],
    ['any free port, once with it', ['a:0', 'tls:a:0'], 'c.pem', ['a:0', 'tls:a:0']],
    ['the same port of another host', ['tls:a:1', 'b:1'], 'c.pem', ['tls:a:1', 'b:1']],
  ])('%s', (_, bind, certfile, expected) => {
    const given = settings(bind, certfile)
    expect(() => checkTlsBinds(given)).not.toThrow()
    expect(bindAddresses(given).map(formatBindAddress)).toEqual(expected)
  })

  test.each([
    ['tls:fd://3', true],
    ['tls:fd://4', false],
  ])('with %s in bind, socket 3 of systemd uses TLS: %s', (bind, tls) => {
    const address = withTls({ kind: 'fd', fd: 3 }, settings([bind], 'c.pem'))
    expect(address.tls === true).toBe(tls)
  })

  test.each([
    ['without a certificate', ['tls:a:1'], null, 'bind tls:a:1 needs a certificate'],
    ['beside the same address without TLS', ['a:1', 'tls:a:1'], 'c.pem', 'bind has a:1 both'],
  ])('tls: %s is refused', (_, bind, certfile, message) => {
    const given = settings(bind, certfile)
    expect(() => checkTlsBinds(given)).toThrow(SettingsError)
    expect(() => checkTlsBinds(given)).toThrow(message)
  })

  test('any free port may be taken twice, with TLS and without', () => {
    expect(() => checkTlsBinds(settings(['a:0', 'tls:a:0'], 'c.pem'))).not.toThrow()
  })
})

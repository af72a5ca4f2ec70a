import { describe, expect, test } from 'vitest'
import { formatBindAddress, parseBindAddress } from './bind-address.ts'
import { SettingsError } from './settings-error.ts'
import { bindAddresses, checkTlsBinds, withTls } from './tls-binds.ts'

function settings(bind: readonly string[], certfile: string | null, httpRedirect: string[] = []) {
  return {
    bind: bind.map(parseBindAddress),
    certfile: certfile === null ? [] : [certfile],
    keyfile: [] as string[],
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

  test.each([
    ['a port is at the addresses of HTTPS', ['tls:a:443', 'tls:[::1]:443', 'b:1'], ['80']],
    ['or at all, if they are sockets', ['unix:/s'], ['80']],
    ['an address is as it is', ['a:443'], ['b:80']],
  ])('http_redirect: %s', (_, bind, redirect) => {
    const all = bindAddresses(settings(bind, 'c.pem', redirect))
    const redirects = all.filter((one) => one.redirects)
    expect(redirects.map(formatBindAddress)).toEqual(
      { 'a:443': ['b:80'], 'unix:/s': ['0.0.0.0:80'], 'tls:a:443': ['a:80', '[::1]:80'] }[bind[0]!],
    )
    expect(redirects.some((one) => one.tls)).toBe(false)
  })

  test.each([
    ['without HTTPS', ['a:1'], null, ['80'], 'http_redirect 80 needs HTTPS to redirect to'],
    ['to an address of bind', ['a:80'], 'c.pem', ['80'], 'http_redirect and bind both have a:80'],
  ])('http_redirect is refused %s', (_, bind, certfile, redirect, message) => {
    expect(() => checkTlsBinds(settings(bind, certfile, redirect))).toThrow(message)
  })

  test('dev_tls is HTTPS, and has a certificate already', () => {
    const development = { ...settings(['a:1'], null), devTls: true }
    expect(bindAddresses(development).map(formatBindAddress)).toEqual(['tls:a:1'])
    const both = { ...settings(['a:1'], 'c.pem'), devTls: true }
    expect(() => checkTlsBinds(both)).toThrow('dev_tls makes a certificate, and certfile has one')
  })
})

import { expect, test } from 'vitest'
import { formatSocketAddress, parseBindAddress } from '../settings/bind-address.ts'
import { keptSockets } from './kept-sockets.ts'
import type { ListeningSocket } from './listeners.ts'

function sockets(...texts: readonly string[]): ListeningSocket[] {
  return texts.map((text, index) => {
    const { tls = false, ...address } = parseBindAddress(text)
    const requested = formatSocketAddress(address)
    const bound = { kind: 'tcp', host: '127.0.0.1', port: 1000 + index } as const
    return { requested, tls, redirects: false, address: bound, fd: index, close: () => {} }
  })
}

/** The descriptors of the sockets that stay, `+` for TLS; dropped ones; addresses without one. */
function changed(from: readonly string[], to: readonly string[]) {
  const { kept, dropped, missing } = keptSockets(to.map(parseBindAddress), sockets(...from))
  const ends = [
    kept
      .toSorted((a, b) => a.fd - b.fd)
      .map(({ fd, tls }) => `${fd}${tls ? '+' : ''}`)
      .join(' '),
    dropped.map(({ fd }) => fd).join(' '),
    missing.map(formatSocketAddress).join(' '),
  ]
  return ends.join('/')
}

test.each([
  ['the same', ['a:1', 'b:2'], ['a:1', 'b:2'], '0 1//'],
  ['one more, one less', ['a:1', 'b:2'], ['b:2', 'c:3'], '1/0/c:3'],
  ['TLS from now on', ['a:1'], ['tls:a:1'], '0+//'],
  ['any port with TLS and without', ['a:0', 'tls:a:0'], ['a:0', 'tls:a:0'], '0 1+//'],
  ['the same the other way round', ['a:0', 'tls:a:0'], ['tls:a:0', 'a:0'], '0 1+//'],
  ['any port once more', ['a:0'], ['a:0', 'tls:a:0'], '0//a:0'],
  ['any port once less', ['a:0', 'tls:a:0'], ['tls:a:0'], '1+/0/'],
  ['a repeated address', ['a:1'], ['a:1', 'a:1'], '0//'],
])('sockets after a change: %s', (_, from, to, expected) => {
  expect(changed(from, to)).toBe(expected)
})

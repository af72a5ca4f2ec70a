import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addressKey } from './address-key.ts'

it.each([
  ['192.0.2.7', '192.0.2.7'],
  ['', ''],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:192.0.2.7', '192.0.2.7'],
  ['0:0:0:0:0:ffff:c000:207', '192.0.2.7'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::9', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b:0:0::/64'],
])('%s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key)
})

it('is the same for all addresses of a /64, however they are written', () => {
  const group = fc.integer({ min: 0, max: 0xffff })
  const network = fc.tuple(group, group, group, group)
  fc.assert(
    fc.property(network, network, network, (prefix, one, other) => {
      const write = (host: readonly number[], digits: number) =>
        [...prefix, ...host].map((part) => part.toString(16).padStart(digits, '0')).join(':')
      // The URL parser writes the shortest form.
      const short = new URL(`http://[${write(one, 1)}]`).hostname.slice(1, -1)
      fc.pre(isIPv6(short) && prefix.some((part) => part !== 0))
      expect(addressKey(short)).toBe(addressKey(write(other, 4)))
    }),
  )
})

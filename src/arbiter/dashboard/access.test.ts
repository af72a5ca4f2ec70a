import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { type Access, isLocal, maySeeAll } from './access.ts'
import { acceptsGzip } from './page-files.ts'

function request(localAddress: string | undefined, headers: Record<string, string> = {}) {
  return { socket: { localAddress }, headers } as unknown as IncomingMessage
}

const access: Access = { mode: 'local', hasToken: (given) => given === 'Bearer right' }

test.each([
  [undefined, true],
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::ffff:127.0.0.1', true],
  ['::1', true],
  ['10.0.0.1', false],
  ['::ffff:10.127.0.1', false],
  ['fe80::1', false],
])('a connection to %s is of this machine: %s', (address, local) => {
  expect(isLocal(address)).toBe(local)
})

test('who is elsewhere needs the token, and so does everybody if the setting says so', () => {
  const token = { authorization: 'Bearer right' }
  expect(maySeeAll(request('127.0.0.1'), access)).toBe(true)
  expect(maySeeAll(request('10.0.0.1'), access)).toBe(false)
  expect(maySeeAll(request('10.0.0.1', token), access)).toBe(true)
  expect(maySeeAll(request('10.0.0.1', { authorization: 'Bearer wrong' }), access)).toBe(false)
  expect(maySeeAll(request('127.0.0.1'), { ...access, mode: 'token' })).toBe(false)
  expect(maySeeAll(request('127.0.0.1', token), { ...access, mode: 'token' })).toBe(true)
})

test('a page of another site sees nothing', () => {
  const from = (site: string) => request('127.0.0.1', { 'sec-fetch-site': site })
  expect(maySeeAll(from('cross-site'), access)).toBe(false)
  expect(maySeeAll(from('same-site'), access)).toBe(false)
  expect(maySeeAll(from('same-origin'), access)).toBe(true)
})

test.each([
  ['gzip, deflate, br', true],
  ['br;q=1.0, gzip;q=0.8', true],
  ['gzip;q=0', false],
  ['', false],
])('Accept-Encoding: %s takes gzip: %s', (value, accepted) => {
  expect(acceptsGzip(request(undefined, { 'accept-encoding': value }))).toBe(accepted)
})

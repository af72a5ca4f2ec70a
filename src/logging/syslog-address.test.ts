import { expect, test } from 'vitest'
import { parseStatsdAddress } from './statsd-address.ts'
import { parseSyslogAddress } from './syslog-address.ts'

test.each([
  ['udp://logs:1514', { kind: 'udp', host: 'logs', port: 1514 }],
  ['udp://', { kind: 'udp', host: 'localhost', port: 514 }],
  ['tcp://[::1]', { kind: 'tcp', host: '::1', port: 514 }],
  ['tcp://[::1]:601', { kind: 'tcp', host: '::1', port: 601 }],
  ['unix:///dev/log', { kind: 'unix', path: '/dev/log', type: null }],
  ['unix:///dev/log#dgram', { kind: 'unix', path: '/dev/log', type: 'dgram' }],
  ['unix:///dev/log#stream', { kind: 'unix', path: '/dev/log', type: 'stream' }],
  ['unix:///dev/log#other', null],
  ['udp://host:0', null],
  ['udp://host:99999', null],
  ['/dev/log', null],
  ['', null],
])('syslog at %j', (text, address) => {
  expect(parseSyslogAddress(text)).toEqual(address)
})

test.each([
  ['localhost:9125', { kind: 'udp', host: 'localhost', port: 9125 }],
  ['stats', { kind: 'udp', host: 'stats', port: 8125 }],
  ['[::1]:9125', { kind: 'udp', host: '::1', port: 9125 }],
  ['unix:///run/statsd.sock', { kind: 'unix', path: '/run/statsd.sock' }],
  ['unix:/run/statsd.sock', { kind: 'unix', path: '/run/statsd.sock' }],
  // As in Gunicorn, a host with that name.
  ['unix:8125', { kind: 'udp', host: 'unix', port: 8125 }],
  ['host:port', null],
  ['a b:1:2', null],
])('StatsD at %j', (text, address) => {
  expect(parseStatsdAddress(text)).toEqual(address)
})

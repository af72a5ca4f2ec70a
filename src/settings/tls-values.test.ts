import { expect, test } from 'vitest'
import type { SettingDefinition } from './definition.ts'
import { tlsSettings } from './sections/tls.ts'
import { readValue, ValueError } from './value.ts'

function read(name: string, raw: unknown): unknown {
  const setting = (tlsSettings as readonly SettingDefinition[]).find((one) => one.name === name)!
  return readValue(setting, raw, '/srv')
}

test.each([
  ['hsts', '60', 'max-age=60'],
  ['hsts', 'max-age=60', 'max-age=60'],
  ['hsts', '60;INCLUDESUBDOMAINS ; preload', 'max-age=60; includeSubDomains; preload'],
  ['hsts', null, null],
  ['http_redirect', '80', ['80']],
  ['http_redirect', '0.0.0.0:80, [::]:80', ['0.0.0.0:80', '[::]:80']],
  ['certfile', 'a.pem', ['/srv/a.pem']],
  ['certfile', ['/a.pem', 'b,c.pem'], ['/a.pem', '/srv/b,c.pem']],
  ['certfile', '', []],
  ['certfile', null, []],
])('%s = %j is %j', (name, raw, value) => {
  expect(read(name, raw)).toEqual(value)
})

test.each([
  ['hsts', 'forever'],
  ['hsts', '60; includeSubdomain'],
  ['hsts', '60\r\nX: y'],
  ['hsts', ''],
  ['http_redirect', 'unix:/s'],
  ['http_redirect', '70000'],
  ['http_redirect', 'host'],
  ['certfile', ['']],
  ['certfile', 'a\0b'],
])('%s = %j is refused', (name, raw) => {
  expect(() => read(name, raw)).toThrow(ValueError)
})

import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gunicornFacts } from './gunicorn-facts.ts'
import { gunicornFact, gunicornValue, isGunicornDefault } from './gunicorn-values.ts'
import { PythonObject } from './python-object.ts'

test.each([
  ['workers', '4', 4],
  ['workers', ' 0x10 ', 16],
  ['workers', '1_000', 1000],
  ['workers', '-3', -3],
  ['workers', '00', 0],
  ['workers', '010', '010'], // int('010', 0) raises in Python
  ['workers', 'many', 'many'],
  ['workers', null, null],
  ['preload_app', ' TRUE ', true],
  ['preload_app', 'false', false],
  ['preload_app', 'yes', 'yes'],
  ['preload_app', null, false],
  ['bind', ' :80 ', ':80'],
  ['bind', [' :80 ', ':81'], [':80', ':81']],
  ['raw_env', null, []],
  ['raw_env', '', []],
  ['forwarded_allow_ips', null, []],
  ['pidfile', ' run.pid\n', 'run.pid'],
  ['secure_scheme_headers', { A: ' b ' }, { A: ' b ' }],
  ['worker_class', new PythonObject('class', 'shop.Worker'), 'shop.Worker'],
])('%s = %j is read as %j', (name, raw, expected) => {
  expect(gunicornValue(gunicornFact(name)!, raw)).toEqual(expected)
})

test('whole numbers are read in every notation of Python', () => {
  const workers = gunicornFact('workers')!
  fc.assert(
    fc.property(fc.nat(), (number) => {
      for (const text of [
        String(number),
        `0x${number.toString(16)}`,
        `0O${number.toString(8)}`,
        `0b${number.toString(2)}`,
        ` +${number}\n`,
      ])
        expect(gunicornValue(workers, text)).toBe(number)
    }),
  )
})

test('every default is known as a default, in the forms that mean the same', () => {
  for (const fact of gunicornFacts) {
    expect([fact.name, isGunicornDefault(fact, fact.default)]).toEqual([fact.name, true])
    if (!fact.default || isDeepStrictEqual(fact.default, []))
      expect([fact.name, isGunicornDefault(fact, null)]).toEqual([fact.name, true])
    if (fact.kind === 'boolean') {
      const usual = fact.default ?? false
      expect([fact.name, isGunicornDefault(fact, String(usual))]).toEqual([fact.name, true])
      expect([fact.name, isGunicornDefault(fact, !usual)]).toEqual([fact.name, false])
    }
    if (fact.kind === 'integer') {
      expect([fact.name, isGunicornDefault(fact, String(fact.default))]).toEqual([fact.name, true])
      expect([fact.name, isGunicornDefault(fact, 77)]).toEqual([fact.name, false])
    }
  }
})

test.each([
  ['proxy_protocol', 'OFF', true],
  ['proxy_protocol', false, true],
  ['proxy_protocol', 'v1', false],
  ['proxy_protocol', true, false],
  ['forwarder_headers', 'SCRIPT_NAME, PATH_INFO', true],
  ['forwarder_headers', ['SCRIPT_NAME', 'PATH_INFO'], true],
  ['forwarder_headers', 'SCRIPT_NAME', false],
  ['logger_class', new PythonObject('class', 'gunicorn.glogging.Logger'), true],
  ['logger_class', 'shop.Logger', false],
  ['http_protocols', 'h1', true],
  ['http_protocols', 'h2,h1', false],
  ['certfile', '', true],
  ['certfile', 'server.pem', false],
  ['dirty_apps', [], true],
  ['dirty_apps', ['shop.jobs:Jobs'], false],
])('%s = %j: %s', (name, raw, expected) => {
  expect(isGunicornDefault(gunicornFact(name)!, raw)).toBe(expected)
})

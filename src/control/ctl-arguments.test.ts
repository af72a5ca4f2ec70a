import { expect, test } from 'vitest'
import { parseCtlArguments } from './ctl-arguments.ts'

test('options and words may come in any order, with = or without', () => {
  expect(parseCtlArguments(['scale', '-1', '--json', '--timeout=0.5', '-p', '12'])).toMatchObject({
    words: ['scale', '-1'],
    json: true,
    timeout: 0.5,
    server: { pid: 12, pidFile: null, socket: null },
  })
  expect(parseCtlArguments(['-s', 'a.sock', 'stop', '--no-wait', '--quick'])).toMatchObject({
    server: { socket: 'a.sock' },
    wait: false,
    quick: true,
  })
  expect(parseCtlArguments(['status'])).toMatchObject({ timeout: 5, wait: true, all: false })
})

test.each([
  [['--pid', '0'], /--pid: expected a whole number above 0, got "0"/],
  [['--pid', '1e3'], /--pid: expected a whole number/],
  [['--pid'], /--pid: a value is missing/],
  [['--pid-file='], /--pid-file: a value is missing/],
  [['--timeout', 'soon'], /--timeout: expected seconds, got "soon"/],
  [['--timeout', '0'], /--timeout: expected seconds/],
  [['--pid', '1', '--pid-file', 'x'], /Give one of/],
  [['-x'], /-x is not an option/],
])('%j is a mistake', (args, message) => {
  expect(() => parseCtlArguments(args)).toThrow(message)
})

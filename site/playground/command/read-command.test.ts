import { parseArgs as parseArgsOfNode } from 'node:util'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseArgs } from '../engine/node/util.ts'
import { differingSettings, readCommand } from './read-command.ts'

const FILES = ['append.py', 'hello.py']

test('a command is read as the server reads it', () => {
  const read = readCommand('npx monoceros append:app -w 4 --bind 0.0.0.0:8080 -t 20', FILES)
  expect(read).toEqual({
    main: 'append.py',
    settings: { wsgi_app: 'append:app', workers: 4, bind: ['0.0.0.0:8080'], timeout: 20 },
    log: [
      {
        from: 'server',
        text: 'Listening at http://0.0.0.0:8080\n(In the page, one worker stands for 4.)\n',
      },
    ],
  })
  if (!('settings' in read)) return
  expect(differingSettings(read.settings, { workers: 4, bind: ['0.0.0.0:8080'] })).toEqual([])
  expect(differingSettings(read.settings, { workers: 2, threads: 3 })).toEqual([
    '--workers is 4, not 2',
    '--threads is not given',
  ])
})

test.each([
  ['', 'command not found'],
  ['gunicorn append:app', 'gunicorn: command not found'],
  ["npx monoceros 'append:app", 'A quote is not closed'],
  ['npx monoceros --workers 2', 'No application given'],
  ['npx monoceros append:app --worker 2', 'did you mean --workers?'],
  ['npx monoceros append:app --workers two', '--workers: expected a whole number'],
  ['npx monoceros append:app --bind', '--bind needs a value'],
  ['npx monoceros other:app', 'the page has append:app and hello:app only'],
  ['npx monoceros append:other', 'the page has append:app and hello:app only'],
])('%s: %s', (command, failure) => {
  expect(readCommand(command, FILES)).toMatchObject({
    failure: expect.stringContaining(failure),
  })
})

test('arguments are taken apart as Node.js does', () => {
  const options = {
    workers: { type: 'string', short: 'w' },
    strict: { type: 'boolean' },
  } as const
  const word = fc.constantFrom(
    '-w',
    '4',
    '--workers',
    '--workers=2',
    '--strict',
    'a:b',
    '-w3',
    '--',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (args) => {
      const ours = parseArgs({ args, options }).tokens
      const config = { args, options, strict: false, allowPositionals: true, tokens: true } as const
      expect(ours).toEqual(parseArgsOfNode(config).tokens)
    }),
  )
})

import { expect, test } from 'vitest'
import { parseLearnArguments } from './learn-arguments.ts'

test('reads where to listen', () => {
  expect(parseLearnArguments([]).bind).toBeNull()
  expect(parseLearnArguments(['-b', '[::1]:80']).bind).toEqual({ host: '::1', port: 80 })
  expect(parseLearnArguments(['--bind=localhost:0']).bind).toEqual({ host: 'localhost', port: 0 })
  expect(parseLearnArguments(['--bind', '9000']).bind).toEqual({ host: '127.0.0.1', port: 9000 })
})

test('saves, opens a browser and downloads, unless an option says otherwise', () => {
  const usual = { save: true, browser: true, install: true, saveTo: null, help: false }
  expect(parseLearnArguments([])).toMatchObject(usual)
  const not = ['--no-save', '--no-browser', '--no-install']
  expect(parseLearnArguments(not)).toMatchObject({ save: false, browser: false, install: false })
})

test.each([
  [['--bind', 'unix:/x'], '--bind: expected HOST:PORT, such as 127.0.0.1:8642, got "unix:/x"'],
  [['--bind', '127.0.0.1:70000'], '--bind: expected HOST:PORT'],
  [['--port', '1'], "Unknown option '--port'"],
  [['folder'], "Unexpected argument 'folder'"],
  [['--save-to', 'x', '--no-save'], '--save-to and --no-save exclude each other'],
  [['--save-to='], '--save-to: expected a folder'],
])('says in one line what is wrong with %j', (args, message) => {
  expect(() => parseLearnArguments(args)).toThrow(message)
  expect(() => parseLearnArguments(args)).toThrow('[MONO7201]')
  expect(() => parseLearnArguments(args)).not.toThrow('\n')
})

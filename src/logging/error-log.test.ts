import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { fromElsewhere } from '../messages/coded.ts'
import { ErrorLog } from './error-log.ts'
import { LogFileError } from './log-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'monoceros-error-log-'))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
const newFile = () => join(folder, `${++count}.log`)
const time = String.raw`\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\]`

test('an entry has time, pid, level and text', () => {
  const file = newFile()
  const log = new ErrorLog({ file, level: 'info' })
  log.info('Listening')
  log.log('error', fromElsewhere('It broke'), 4711)
  expect(readFileSync(file, 'utf8')).toMatch(
    new RegExp(
      `^${time} \\[${process.pid}\\] \\[INFO\\] Listening\n${time} \\[4711\\] \\[ERROR\\] ` +
        'It broke\n$',
    ),
  )
  log.close()
})

test('the time is local, with its offset', () => {
  const zone = process.env.TZ
  process.env.TZ = 'Asia/Kolkata'
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 23, 18, 38, 11) })
  try {
    const file = newFile()
    new ErrorLog({ file, level: 'info' }).info('x')
    expect(readFileSync(file, 'utf8')).toContain('[2026-11-24 00:08:11 +0530]')
  } finally {
    vi.useRealTimers()
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  }
})

test('less important entries than the level are left out, application output never', () => {
  const file = newFile()
  const log = new ErrorLog({ file, level: 'error' })
  log.debug('1')
  log.info('2')
  log.warning(fromElsewhere('3'))
  log.error(fromElsewhere('4'))
  log.critical(fromElsewhere('5'))
  log.forWorker(9).log('info', fromElsewhere('6'))
  log.forWorker(9).output('stdout', '7')
  expect(readFileSync(file, 'utf8').match(/\w+\] \d$/gm)).toEqual([
    'ERROR] 4',
    'CRITICAL] 5',
    'stdout] 7',
  ])
  expect(log.enabled('warning')).toBe(false)
  expect(log.enabled('error')).toBe(true)
  log.close()
})

test('output of an application carries the pid of its worker and cannot forge entries', () => {
  const file = newFile()
  const log = new ErrorLog({ file, level: 'info' })
  log.forWorker(123).output('stderr', 'héllo\x1b[2J\n[2026-01-01 00:00:00 +0000] [1] [INFO] forged')
  const text = readFileSync(file, 'utf8')
  expect(text).toMatch(new RegExp(`^${time} \\[123\\] \\[stderr\\] héllo\\\\x1b\\[2J\\\\n\\[2026`))
  expect(text.split('\n')).toHaveLength(2)
  log.close()
})

test('a traceback is one entry', () => {
  const file = newFile()
  const log = new ErrorLog({ file, level: 'info' })
  log.error(
    fromElsewhere(
      'GET /: failed\nTraceback (most recent call last):\n  File "a.py", line 1\nValueError: x\n',
    ),
  )
  expect(readFileSync(file, 'utf8')).toMatch(
    /\[ERROR\] GET \/: failed\nTraceback.*\n {2}File "a.py", line 1\nValueError: x\n$/,
  )
  log.close()
})

test('after reopening, entries go to a new file under the old name', () => {
  const file = newFile()
  const log = new ErrorLog({ file, level: 'info' })
  log.info('before')
  renameSync(file, `${file}.1`)
  log.info('moved')
  log.reopen()
  log.info('after')
  expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/before\n.*moved\n$/)
  expect(readFileSync(file, 'utf8')).toMatch(/\] after\n$/)
  log.close()
})

test('when reopening fails the old file stays in use and says so', () => {
  const own = mkdtempSync(join(folder, 'sub-'))
  const file = join(own, 'error.log')
  const log = new ErrorLog({ file, level: 'info' })
  const moved = `${own}-moved`
  renameSync(own, moved)
  log.reopen()
  log.info('still here')
  const text = readFileSync(join(moved, 'error.log'), 'utf8')
  expect(text).toContain('its folder does not exist')
  expect(text).toContain('still here')
  log.close()
})

test('a file that cannot be opened is refused with its reason', () => {
  expect(() => new ErrorLog({ file: join(folder, 'no/such.log'), level: 'info' })).toThrow(
    LogFileError,
  )
  expect(() => new ErrorLog({ file: join(folder, 'no/such.log'), level: 'info' })).toThrow(
    'its folder does not exist',
  )
  expect(() => new ErrorLog({ file: folder, level: 'info' })).toThrow('it is a folder')
})

test.runIf(process.platform === 'linux')('a full disk stops nothing', () => {
  const log = new ErrorLog({ file: '/dev/full', level: 'info' })
  expect(() => log.info('x')).not.toThrow()
  log.close()
})

test('entries of several processes in one file are never mixed', async () => {
  const file = newFile()
  writeFileSync(file, '')
  const script = `
    const { openSync, writeSync } = require('node:fs')
    const fd = openSync(process.argv[1], 'a')
    process.send('ready')
    process.on('message', () => {
      for (let i = 0; i < 300; i++) writeSync(fd, '[other] ' + 'o'.repeat(5000) + '\\n')
      process.disconnect()
    })`
  const child = spawn(process.execPath, ['-e', script, file], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const log = new ErrorLog({ file, level: 'info' })
  await once(child, 'message')
  const exited = once(child, 'exit')
  child.send('go')
  for (let i = 0; i < 300; i++) log.info('m'.repeat(5000))
  expect(await exited).toEqual([0, null])
  log.close()
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(600)
  for (const line of lines) expect(line).toMatch(/^\[other\] o{5000}$|\[INFO\] m{5000}$/)
})

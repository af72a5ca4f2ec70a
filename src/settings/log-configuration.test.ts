import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadSettings } from '../config/load-settings.ts'

async function load(configuration: object, args: readonly string[] = [], json = false) {
  const cwd = mkdtempSync(join(tmpdir(), 'monoceros-log-configuration-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const path = join(cwd, 'logging.json')
  writeFileSync(path, JSON.stringify(configuration))
  const config = json ? { logconfig_json: path } : { logconfig_dict: configuration }
  writeFileSync(join(cwd, 'monoceros.config.json'), JSON.stringify(config))
  return { ...(await loadSettings({ cwd, args })), cwd }
}

const HANDLERS = {
  handlers: {
    out: { class: 'logging.StreamHandler', stream: 'ext://sys.stdout' },
    err: { class: 'logging.StreamHandler' },
    warnings: {
      class: 'logging.StreamHandler',
      stream: 'ext://sys.stdout',
      level: 'WARNING',
    },
  },
}

const FILES = {
  formatters: { lines: { '()': 'pythonjsonlogger.json.JsonFormatter' }, plain: {} },
  handlers: {
    access: { class: 'logging.FileHandler', filename: 'access.log', formatter: 'lines' },
    error: { class: 'logging.handlers.RotatingFileHandler', filename: '/var/log/error.log' },
    mail: { class: 'logging.handlers.SMTPHandler' },
  },
  loggers: {
    'gunicorn.access': { handlers: ['access'], filters: ['health'] },
    'gunicorn.error': { level: 'WARNING', handlers: ['error', 'mail'] },
  },
}

test.each([false, true])('files, levels and JSON are taken over (JSON file: %s)', async (json) => {
  const { settings, notes, cwd } = await load(FILES, [], json)
  expect(settings).toMatchObject({
    accessLogfile: join(cwd, 'access.log'),
    accessLogFormat: 'json',
    errorLogfile: '/var/log/error.log',
    errorLogFormat: 'text',
    logLevel: 'warning',
  })
  expect(notes.filter((note) => /filters of gunicorn.access/.test(note))).toHaveLength(1)
  expect(notes.filter((note) => /handler mail of gunicorn.error/.test(note))).toHaveLength(1)
  expect(notes.filter((note) => /error.log is not rotated/.test(note))).toHaveLength(1)
})

test('as in Gunicorn, it counts more than settings for the loggers that it names', async () => {
  const args = ['--access-logfile', '-', '--access-logformat', '%(h)s', '--log-level', 'debug']
  const { settings, cwd } = await load(FILES, args)
  expect(settings).toMatchObject({
    accessLogfile: join(cwd, 'access.log'),
    accessLogFormat: '%(h)s',
    logLevel: 'warning',
  })
  expect((await load({ loggers: { shop: {} } }, args)).settings).toMatchObject({
    accessLogfile: '-',
    accessLogFormat: '%(h)s',
    logLevel: 'debug',
  })
})

test.each([
  ['handlers', {}],
  ['level', { level: 'WARNING', handlers: ['out'] }],
  ['handler that takes them', { handlers: ['warnings'] }],
])('without a %s there is no access log', async (_, logger) => {
  const { settings, notes } = await load({ ...HANDLERS, loggers: { 'gunicorn.access': logger } }, [
    '--access-logfile',
    '-',
  ])
  const isSkipped = 'handlers' in logger && logger.handlers[0] === 'warnings'
  expect(settings.accessLogfile).toBe(isSkipped ? '-' : null)
  expect(notes.some((note) => /there is no access log/.test(note))).toBe(!isSkipped)
})

test.each([
  ['its own handler', { 'gunicorn.access': { handlers: ['err'] } }, '/dev/stderr'],
  ['the handler of root', { 'gunicorn.access': { propagate: true } }, '-'],
  ['the handler of gunicorn', { gunicorn: { handlers: ['err'], propagate: false } }, '/dev/stderr'],
  ['none of root, which gunicorn does not reach', { gunicorn: { propagate: false } }, null],
])('the access log goes to %s', async (_, loggers, file) => {
  const root = { level: 'INFO', handlers: ['out'] }
  expect((await load({ ...HANDLERS, root, loggers })).settings.accessLogfile).toBe(file)
})

test('the error log goes to standard output, and its handler has a level', async () => {
  const loggers = { 'gunicorn.error': { level: 'INFO', handlers: ['warnings'] } }
  expect((await load({ ...HANDLERS, loggers })).settings).toMatchObject({
    errorLogfile: '/dev/stdout',
    logLevel: 'warning',
  })
})

test.each([
  [{ format: '%(message)s' }, '%(h)s'],
  [{ format: '{message}', style: '{' }, '%(h)s'],
  [{ format: '%(levelname)s|%(name)s|%(message)s 100%%' }, 'INFO|gunicorn.access|%(h)s 100%%'],
  [{ format: '%(asctime)s %(message)s' }, null],
  [{ format: '%(message)s', class: 'shop.logs.Formatter' }, null],
  [{ format: 'no message' }, null],
])('the format of lines: %j', async (formatter, format) => {
  const { settings, notes } = await load(
    {
      formatters: { own: formatter },
      handlers: { out: { class: 'logging.StreamHandler', formatter: 'own' } },
      loggers: { 'gunicorn.access': { handlers: ['out'] } },
    },
    ['--access-logformat', '%(h)s'],
  )
  expect(settings.accessLogFormat).toBe(format ?? '%(h)s')
  const isNoted = notes.some((note) => /formatter own is not used for the access log/.test(note))
  expect(isNoted).toBe(format === null)
})

test("Gunicorn's defaults write the access log to standard output", async () => {
  const { settings } = await load({ version: 1 })
  expect(settings).toMatchObject({ accessLogfile: '-', errorLogfile: '-', logLevel: 'info' })
  expect((await load({ loggers: {} })).settings.accessLogfile).toBeNull()
})

test('only the workers report a handler that does not exist', async () => {
  const { notes } = await load({ version: 1, handlers: {} })
  expect(notes).toEqual([])
})

test('without a logging configuration nothing changes', async () => {
  const { settings, notes } = await load({})
  expect(settings).toMatchObject({ accessLogfile: null, logLevel: 'info' })
  expect(notes).toEqual([])
})

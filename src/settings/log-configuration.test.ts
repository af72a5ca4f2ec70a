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

test('a setting counts more', async () => {
  const args = ['--access-logfile', '-', '--access-logformat', '%(h)s', '--log-level', 'debug']
  const { settings } = await load(FILES, args)
  expect(settings).toMatchObject({
    accessLogfile: '-',
    accessLogFormat: '%(h)s',
    logLevel: 'debug',
  })
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

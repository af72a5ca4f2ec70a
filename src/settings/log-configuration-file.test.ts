import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadSettings } from '../config/load-settings.ts'
import { readLogConfigurationIni } from './log-configuration-file.ts'

function inFolder(text: string): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-log-configuration-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'logging.ini')
  writeFileSync(path, text)
  return { folder, path }
}

const INI = `
[loggers]
keys = root, access, gunicorn.error

[handlers]
keys: console,
  access, odd

[formatters]
keys = json, line

[logger_root]
level = WARNING
handlers = console

[logger_access]
level = INFO
handlers = access
qualname = gunicorn.access
propagate = 0

[logger_gunicorn.error]
level = ERROR
handlers = console
qualname = gunicorn.error

[handler_console]
class = StreamHandler
formatter = line
args = (sys.stdout, )

[handler_access]
class = logging.handlers.RotatingFileHandler
formatter = json
args = ('%(here)s/access.log', 'a')
kwargs = {'maxBytes': 1000}

[handler_odd]
class = handlers.SysLogHandler
args = (os.environ["X"],)

[formatter_json]
class = pythonjsonlogger.json.JsonFormatter

[formatter_line]
format = %(asctime)s %(message)s
`

test('an INI file has the form of the dictionary', () => {
  const { folder, path } = inFolder(INI)
  expect(readLogConfigurationIni(path)).toEqual({
    version: 1,
    disable_existing_loggers: false,
    root: { level: 'WARNING', handlers: ['console'] },
    loggers: {
      'gunicorn.access': { level: 'INFO', handlers: ['access'], propagate: false },
      'gunicorn.error': { level: 'ERROR', handlers: ['console'], propagate: true },
    },
    handlers: {
      console: { class: 'logging.StreamHandler', formatter: 'line', stream: 'ext://sys.stdout' },
      access: {
        class: 'logging.handlers.RotatingFileHandler',
        formatter: 'json',
        filename: `${folder}/access.log`,
      },
      odd: { class: 'logging.handlers.SysLogHandler' },
    },
    formatters: {
      json: { class: 'pythonjsonlogger.json.JsonFormatter' },
      line: { format: '%(asctime)s %(message)s' },
    },
  })
})

test('--log-config takes files, streams, levels and JSON over', async () => {
  const { folder, path } = inFolder(INI)
  const { settings, notes } = await loadSettings({ cwd: folder, args: ['--log-config', path] })
  expect(settings).toMatchObject({
    accessLogfile: join(folder, 'access.log'),
    accessLogFormat: 'json',
    errorLogfile: '/dev/stdout',
    errorLogFormat: 'text',
    logLevel: 'error',
  })
  expect(notes).toContain(
    `logconfig: ${join(folder, 'access.log')} is not rotated; rename it and send SIGUSR1 instead`,
  )
  expect(notes).toContain("logconfig: formatter line is not used for the server's own messages")
})

test.each([
  ['()', undefined, 'ext://sys.stderr'],
  ['(sys.stderr,)', undefined, 'ext://sys.stderr'],
  ['()', "{'stream': sys.stdout}", 'ext://sys.stdout'],
  ['(open("x"),)', undefined, 'unknown'],
])('the stream of a handler: %s %s', (args, kwargs, stream) => {
  expect(handler('StreamHandler', args, kwargs)).toHaveProperty('stream', stream)
})

test.each([
  ['("/var/log/x.log",)', undefined, '/var/log/x.log'],
  ["('/var/log/it\\'s.log', 'a')", undefined, "/var/log/it's.log"],
  ["(r'a\\b.log',)", undefined, 'a\\b.log'],
  ['()', '{"delay": True, "filename": "x.log"}', 'x.log'],
  ["('a' + name,)", undefined, undefined],
  ["('\\x41',)", undefined, undefined],
])('the file of a handler: %s %s', (args, kwargs, filename) => {
  const read = handler('handlers.WatchedFileHandler', args, kwargs)
  expect(read).toMatchObject({ class: 'logging.handlers.WatchedFileHandler' })
  expect(read.filename).toBe(filename)
})

function handler(kind: string, args: string, kwargs?: string): Record<string, unknown> {
  const more = kwargs === undefined ? '' : `kwargs=${kwargs}\n`
  const { path } = inFolder(`[handlers]\nkeys=h\n[handler_h]\nclass=${kind}\nargs=${args}\n${more}`)
  const read = readLogConfigurationIni(path) as { handlers: { h: Record<string, unknown> } }
  return read.handlers.h
}

test.each(['no section', '[a]\nx=1\n[a]\n'])(
  'what Python would not read is left to it: %j',
  (text) => {
    expect(readLogConfigurationIni(inFolder(text).path)).toBeNull()
  },
)

test('a file that is not there is left to the workers', () => {
  expect(readLogConfigurationIni('/nowhere/logging.ini')).toBeNull()
})

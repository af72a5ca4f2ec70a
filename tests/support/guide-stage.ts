import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { commandPath, repository } from './build.ts'
import { freePort } from './free-port.ts'
import { consoleCommands } from './page-blocks.ts'
import { PageShell, writeProgram } from './page-shell.ts'
import { testPython } from './python.ts'
import type { RunningServer } from './running-server.ts'
import { outputMatches } from './shown-output.ts'
import { testCertificate } from './test-certificate.ts'

const PLAIN = `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello\\n"]


app = application
`

const TYPESCRIPT = `export const app = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('Hello\\n')]
}
`

/** What has no server of ours in it: pages compare with these. */
const OTHER_SERVERS = /^(granian|gunicorn|waitress-serve|uwsgi) /

const SERVER =
  /^(\w+=("[^"]*"|\S+) )*(npx |node_modules\/\.bin\/)?monoceros (?!ctl|top|install|python|learn|--help|--version)/

/**
 * Where the commands of guides are run: a folder with the applications, folders and certificates
 * that the pages speak of. `/etc`, `/run`, `/srv` and `/var` of the pages are below it, and ports
 * are free ones. A server is started until it listens, and has to log what the page shows.
 */
export class GuideStage {
  readonly #work = temporaryDirectory()
  readonly #at = (path: string) => join(this.#work.path, path)
  readonly #project = this.#at('srv/project')
  readonly #shell: PageShell
  /** Commands that were run: several pages have the same. */
  readonly #started = new Set<string>()

  constructor() {
    chmodSync(this.#work.path, 0o755)
    const folders = ['bin', 'etc/site', 'run/site', 'run/mysite', 'srv/invoices', 'var/lib/acme']
    for (const folder of folders) mkdirSync(this.#at(folder), { recursive: true })
    mkdirSync(this.#at('control'), { mode: 0o700 })
    mkdirSync(this.#at('var/lib/acme/.well-known/acme-challenge'), { recursive: true })
    for (const folder of ['static', 'static_files', 'staticfiles', 'dist', 'config', 'locale'])
      mkdirSync(join(this.#project, folder), { recursive: true })
    this.#makeApplications()
    this.#makeCertificates()
    this.#makePrograms()
    const { prefix } = testPython()
    this.#shell = new PageShell(this.#project, [this.#at('bin'), join(prefix, 'bin')], {
      VIRTUAL_ENV: prefix,
      MONOCEROS_RUNTIME_DIR: this.#at('control'),
      XDG_STATE_HOME: this.#at('var'),
      XDG_DATA_HOME: this.#at('var'),
      HOME: this.#at('srv'),
    })
  }

  remove(): void {
    this.#work.remove()
  }

  /** Runs the commands of a console block, in their order. Its servers end with it. */
  async run(text: string): Promise<void> {
    const here = await this.#mapping(text)
    const servers: RunningServer[] = []
    try {
      const commands = consoleCommands(text)
      for (const { command, output } of commands) {
        if (OTHER_SERVERS.test(command)) continue
        if (!SERVER.test(command)) await this.#runToEnd(here(command), output)
        else if (commands.length === 1 && output === '' && this.#started.has(command)) continue
        else {
          this.#started.add(command)
          for (const other of servers.splice(0)) await other.stop()
          servers.push(await this.#start(here(command), output))
        }
      }
    } finally {
      for (const server of servers) await server.stop()
    }
  }

  async #runToEnd(command: string, output: string): Promise<void> {
    const { code, stdout, stderr } = await this.#shell.run(command)
    expect(code, `${command}\n${stdout}${stderr}`).toBe(0)
    if (output !== '') expect(shapeOf(stdout), command).toBe(shapeOf(output))
  }

  async #start(command: string, output: string): Promise<RunningServer> {
    const saysWhere = / (--bind|-b) /.test(command)
    const server = await this.#shell.serve(command, {
      variables: saysWhere ? {} : { MONOCEROS_CMD_ARGS: '--bind 127.0.0.1:0' },
      findAddresses: (log) =>
        [...log.matchAll(/Listening at (\S+)/g)].map(([, address]) =>
          address!.replace('https+unix:', 'unix:'),
        ),
      isReady: (log) => /Listening at \S+.*\n/.test(log),
    })
    const log = server.log()
    if (!outputMatches(shapeOf(output), shapeOf(log), 'within')) expect(log).toBe(output)
    return server
  }

  /** What makes the paths and ports of a block those of this stage. */
  async #mapping(text: string): Promise<(text: string) => string> {
    const ports = new Map<string, number>()
    for (const [, port] of text.matchAll(PORT)) {
      if (!ports.has(port!)) ports.set(port!, await freePort())
    }
    return (command) =>
      command
        .replace(/(?<![\w./])\/(etc|run|srv|var)\//g, `${this.#work.path}/$1/`)
        .replace(/(?<=(?:bind|-b) (?:tls:)?)(?:0\.0\.0\.0|10\.0\.0\.1):/g, '127.0.0.1:')
        .replace(PORT, (_, port) => String(ports.get(port)))
  }

  #makeApplications(): void {
    const files = {
      'package.json': '{ "private": true, "type": "module" }\n',
      'requirements.txt': 'flask\n',
      'manage.py': '# What it does is Django’s business.\n',
      'app.ts': TYPESCRIPT,
      'telemetry.js': '',
      ...Object.fromEntries(
        ['app', 'api', 'dev', 'flaskapp', 'mysite/wsgi', 'shop/wsgi'].map((name) => [
          `${name}.py`,
          PLAIN,
        ]),
      ),
    }
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.#project, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    mkdirSync(join(this.#project, 'node_modules', '.bin'), { recursive: true })
    symlinkSync(repository, join(this.#project, 'node_modules', 'monoceros'))
  }

  #makeCertificates(): void {
    const { cert, key } = testCertificate
    const live = this.#at('etc/letsencrypt/live/example.org')
    mkdirSync(live, { recursive: true })
    for (const [name, text] of [
      ['fullchain.pem', cert],
      ['privkey.pem', key],
    ] as const) {
      for (const folder of [this.#project, live]) writeFileSync(join(folder, name), text)
    }
    for (const name of ['a.pem', 'site.pem', 'clients-ca.pem'])
      writeFileSync(join(this.#project, name), cert)
    for (const name of ['a.key', 'site.key']) writeFileSync(join(this.#project, name), key)
    const another = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=b.example'
    execFileSync('openssl', `req -x509 ${another} -keyout b.key -out b.pem -days 9`.split(' '), {
      cwd: this.#project,
      stdio: 'ignore',
    })
    mkdirSync(this.#at('run/secrets'))
    writeFileSync(this.#at('run/secrets/passphrase'), 'not used by a key without one\n', {
      mode: 0o600,
    })
  }

  /** Nothing is installed, and no registry is asked: what a page installs is there. */
  #makePrograms(): void {
    const monoceros = `exec '${process.execPath}' '${commandPath}' "$@"`
    writeProgram(this.#at('bin/monoceros'), monoceros)
    writeProgram(join(this.#project, 'node_modules', '.bin', 'monoceros'), monoceros)
    writeProgram(this.#at('bin/npx'), 'exec "$@"')
    writeProgram(this.#at('bin/npm'), '[ "$1" = install ]')
    writeProgram(this.#at('bin/pip'), '[ "$1" = install ]')
    writeProgram(this.#at('bin/vite'), '[ "$1" = build ]')
    writeProgram(
      this.#at('bin/python3'),
      `[ "$1 $2" = "-m venv" ] && mkdir -p "$3/bin" && touch "$3/bin/activate" && ` +
        `cp '${this.#at('bin/pip')}' "$3/bin/pip"`,
    )
  }
}

/** A port in a command: of an address, or of `--http-redirect`. */
const PORT = /(?<=[\w\]]:|--http-redirect )(80|443|8000|8080|9400)\b/g

/** What is printed, without what is different each time: numbers, and paths. */
function shapeOf(text: string): string {
  return text.replace(/(?<![\w.])(\/[\w.-]+)+/g, '/…').replace(/\d+(\.\d+)*/g, '0')
}

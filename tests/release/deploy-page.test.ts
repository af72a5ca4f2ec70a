import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { splitShellWords } from '../../src/settings/shell-words.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath, repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { blocksOf, consoleCommands, filesOnPage, type PageBlock } from '../support/page-blocks.ts'
import { PageShell, writeProgram } from '../support/page-shell.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import { outputMatches } from '../support/shown-output.ts'
import { hasProgram } from '../support/system-program.ts'

// Both ways to deploy a Django project on docs/guides/deploy.md, word for word. What is different
// here: folders are below a temporary one, ports are free ones, `npm install` links this
// repository, and what changes the machine (sudo, groupadd, chgrp) does nothing. There is no
// systemd to talk to, so `systemctl` starts what the units say.

const blocks = blocksOf('docs/guides/deploy.md').filter(
  ({ marks }) => marks.has('file') || marks.has('run'),
)
const DIRECT = 'A Django project without nginx'
const BEHIND = 'The same project behind nginx'

const available =
  hasPython() &&
  ['nginx', 'curl', 'openssl'].every((name) => hasProgram(name)) &&
  hasProgram('systemd-socket-activate', 'systemd')

describe.skipIf(!available)('a Django project', () => {
  const root = temporaryDirectory()
  const at = (path: string) => join(root.path, path)
  const project = at('srv/mysite')
  const shell = new PageShell(project, [at('bin')])
  const ports = { tls: 0, plain: 0 }
  let server: RunningServer | null = null
  let nginx: RunningServer | null = null

  /** The page's paths and ports as they are here. */
  const here = (text: string): string =>
    text
      .replace(/(?<![\w/])\/(srv\/mysite|etc\/mysite|var\/lib\/mysite|run\/mysite)/g, at('$1'))
      .replace(/(ListenStream=0\.0\.0\.0:|listen )443\b/g, `$1${ports.tls}`)
      .replace(/(ListenStream=0\.0\.0\.0:|listen |--http-redirect )80\b/g, `$1${ports.plain}`)
      .replace('https://$host$', `https://$host:${ports.tls}$`)

  beforeAll(async () => {
    chmodSync(root.path, 0o755)
    ports.tls = await freePort()
    ports.plain = await freePort()
    for (const folder of ['srv/mysite', 'var/lib/mysite', 'run', 'etc/nginx/conf.d'])
      mkdirSync(at(folder), { recursive: true })
    const program = (name: string, script: string) => writeProgram(at(`bin/${name}`), script)
    const connect = [
      `--connect-to mysite.example:443:127.0.0.1:${ports.tls}`,
      `--connect-to mysite.example:80:127.0.0.1:${ports.plain}`,
    ].join(' ')
    const commands = (name: string) => `$(PATH=\${PATH#*:} command -v ${name})`
    program('sudo', 'exec "$@"')
    for (const name of ['groupadd', 'chgrp', 'systemctl']) program(name, 'exit 0')
    program('npm', '[ "$*" = "install ./monoceros-0.1.0.tgz" ]')
    program('python3', `[ "$*" = "-m venv .venv" ] && ln -s '${testPython().prefix}' .venv`)
    program('curl', `exec ${commands('curl')} ${connect} "$@"`)
    program('nginx', `exec ${commands('nginx')} -c '${at('etc/nginx/nginx.conf')}' "$@"`)
    const monoceros = join(project, 'node_modules', '.bin', 'monoceros')
    writeProgram(monoceros, `exec '${process.execPath}' '${commandPath}' "$@"`)
    symlinkSync(repository, join(project, 'node_modules', 'monoceros'))
    writeFileSync(
      at('etc/nginx/nginx.conf'),
      `user root;\npid ${at('run/nginx.pid')};\nerror_log stderr;\nevents {}\n` +
        `http {\n  access_log off;\n  client_body_temp_path ${at('run/body')};\n` +
        ['proxy', 'fastcgi', 'uwsgi', 'scgi']
          .map((kind) => `  ${kind}_temp_path ${at(`run/${kind}`)};\n`)
          .join('') +
        `  types { text/css css; }\n  include ${at('etc/nginx/conf.d')}/*.conf;\n}\n`,
    )
  })

  afterAll(async () => {
    await nginx?.stop()
    await server?.stop()
    root.remove()
  })

  /** Starts what the units name, as systemd does: with the sockets, once somebody connects. */
  async function startUnits(): Promise<void> {
    await server?.stop()
    const unit = readFileSync(at('etc/systemd/system/mysite.service'), 'utf8')
    const lines = unit.replaceAll('\\\n', ' ').split('\n')
    const values = (name: string, from = lines) =>
      from.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1))
    const environment = values('Environment')
    for (const before of values('ExecStartPre')) {
      const { code, stderr } = await runToEnd('env', [...environment, ...words(before)], {
        cwd: project,
        env: shell.environment(),
      })
      expect(code, stderr).toBe(0)
    }
    const socket = readFileSync(at('etc/systemd/system/mysite.socket'), 'utf8').split('\n')
    const listens = values('ListenStream', socket)
    const first = listens[0]!.replace('0.0.0.0', '127.0.0.1')
    server = await runServer({
      command: 'systemd-socket-activate',
      args: [
        ...listens.map((address) => `--listen=${address}`),
        ...['MONOCEROS_TEST_SERVER', ...environment].map((variable) => `--setenv=${variable}`),
        ...words(values('ExecStart')[0]!),
      ],
      env: shell.environment(),
      cwd: project,
      findAddresses: () => [first.startsWith('/') ? `unix:${first}` : `http://${first}`],
      isReady: (log) => log.split('Listening on').length > listens.length,
      isWorker: (line) => line.includes('monoceros-worker'),
    })
  }

  async function startNginx(): Promise<void> {
    nginx = await runServer({
      command: at('bin/nginx'),
      args: ['-g', 'daemon off;'],
      env: shell.environment(),
      cwd: root.path,
      findAddresses: () => [`http://127.0.0.1:${ports.plain}`],
      isReady: () => existsSync(at('run/nginx.pid')),
      isWorker: () => false,
    })
  }

  async function follow({ marks, text }: PageBlock): Promise<void> {
    const file = marks.get('file')
    if (file !== undefined) {
      const path = file.startsWith('/') ? at(file.slice(1)) : join(project, file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, here(text))
      return
    }
    for (const { command, output } of consoleCommands(text)) {
      const ran = await shell.run(here(command))
      const printed = ran.stdout
      expect(ran.code, `${command}\n${ran.stderr}\n${server?.log()}`).toBe(0)
      if (output !== '') {
        const said = `${command}\n${printed}\n${ran.stderr}`
        expect(outputMatches(output, printed), said).toBe(true)
      }
      if (/systemctl (enable --now|restart) mysite/.test(command)) await startUnits()
      if (/systemctl reload nginx/.test(command)) await startNginx()
    }
  }

  test.each([DIRECT, BEHIND])('%s', async (title) => {
    const steps = blocks.filter(({ section }) => section === title)
    expect(steps.length).toBeGreaterThan(4)
    for (const step of steps) await follow(step)
  })
})

test('the files on the page are those of examples/deploy', () => {
  const example = (path: string) => readFileSync(join(repository, 'examples/deploy', path), 'utf8')
  const filesOf = (title: string) => filesOnPage(blocks.filter(({ section }) => section === title))
  const [direct, behind] = [filesOf(DIRECT), filesOf(BEHIND)]
  for (const kind of ['service', 'socket']) {
    const path = `/etc/systemd/system/mysite.${kind}`
    expect(direct.get(path)).toBe(example(`systemd/mysite.${kind}`))
    expect(behind.get(path)).toBe(example(`systemd/mysite-behind-proxy.${kind}`))
  }
  expect(behind.get('/etc/nginx/conf.d/mysite.conf')).toBe(example('nginx.conf'))
})

function words(text: string): string[] {
  const found = splitShellWords(text)
  if (found === undefined) throw new Error(`a quote without its end: ${text}`)
  return found
}

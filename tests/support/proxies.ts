import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { repository } from './build.ts'
import { waitFor } from './wait-for.ts'

/** A proxy of which the documentation has configurations. */
export type ProxyName = 'nginx' | 'haproxy' | 'caddy'

/** The configurations of a page, in their order: the code blocks of that language. */
export function configurationsOf(page: string, proxy: ProxyName): string[] {
  const text = readFileSync(join(repository, page), 'utf8')
  const pattern = new RegExp(`^\`\`\`${proxy}\\n(.*?)^\`\`\``, 'gms')
  return [...text.matchAll(pattern)].map((block) => block[1]!)
}

/** What of a configuration is of its page, and what it is for the test. */
export interface Ports {
  /** In the place of port 80. */
  readonly listen: number
  /** In the place of port 8000. */
  readonly server: number
}

/**
 * Has the proxy check a configuration, and starts it. It is ended at the end of the test.
 *
 * @param text as a page shows it: listens at port 80, asks a server at 127.0.0.1:8000
 */
export async function startProxy(proxy: ProxyName, text: string, ports: Ports): Promise<void> {
  const folder = temporaryDirectory().path
  chmodSync(folder, 0o755)
  const changed = text
    .replaceAll('127.0.0.1:8000', `127.0.0.1:${ports.server}`)
    .replaceAll('listen 80;', `listen 127.0.0.1:${ports.listen};`)
    .replaceAll('bind :80', `bind 127.0.0.1:${ports.listen}`)
    .replaceAll(/^:80 \{/gm, `http://:${ports.listen} {\n\tbind 127.0.0.1`)
  const { file, content, check, run } = COMMANDS[proxy](folder, changed)
  writeFileSync(join(folder, file), content)
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  execFileSync(check[0]!, check.slice(1), { cwd: folder, env, stdio: 'pipe' })
  const child = spawn(run[0]!, run.slice(1), {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  onTestFinished(async () => {
    if (child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  })
  await waitFor(`${proxy} to listen`, async () => {
    if (child.exitCode !== null) throw new Error(`${proxy} has ended: ${output}`)
    return await accepts(ports.listen)
  })
}

interface Commands {
  readonly file: string
  readonly content: string
  /** Ends with status 0 if the file is valid. */
  readonly check: readonly string[]
  /** Runs in the foreground. */
  readonly run: readonly string[]
}

const COMMANDS: Readonly<Record<ProxyName, (folder: string, text: string) => Commands>> = {
  nginx(folder, text) {
    mkdirSync(join(folder, 'tmp'))
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${folder}/tmp/${name};`)
      .join('\n')
    const content = `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events {}
http { access_log off; ${temporary}
${text}
}`
    const command = ['nginx', '-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']
    return { file: 'nginx.conf', content, check: [...command, '-t'], run: command }
  },
  haproxy: (_, text) => ({
    file: 'haproxy.cfg',
    content: text,
    check: ['haproxy', '-c', '-q', '-f', 'haproxy.cfg'],
    run: ['haproxy', '-db', '-f', 'haproxy.cfg'],
  }),
  caddy: (_, text) => ({
    file: 'Caddyfile',
    content: `{\n\tadmin off\n\tauto_https off\n}\n${text}`,
    check: ['caddy', 'validate', '--adapter', 'caddyfile', '--config', 'Caddyfile'],
    run: ['caddy', 'run', '--adapter', 'caddyfile', '--config', 'Caddyfile'],
  }),
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

import { execFile } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath, repository } from '../support/build.ts'
import { compilerPath } from '../support/compiler.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import {
  type Command,
  filesOf,
  outputMatches,
  parsePage,
  type Section,
} from '../support/tutorial-page.ts'

// The tutorial is what is tested: every file, every command and every output on its page. See
// support/tutorial-page.ts for how.

const page = parsePage(readFileSync(join(repository, 'docs', 'guides', 'tutorial.md'), 'utf8'))
const files = filesOf(page)
const work = temporaryDirectory()
const folder = join(work.path, 'folder')
const bin = join(work.path, 'bin')

beforeAll(() => {
  // The reader's folder, as the page has it made.
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true })
  symlinkSync(repository, join(folder, 'node_modules', 'monoceros'))
  symlinkSync(
    join(repository, 'node_modules', '@types', 'node'),
    join(folder, 'node_modules', '@types', 'node'),
  )
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  // Servers take a free port and say which.
  for (const [name, text] of files)
    writeFileSync(join(folder, name), text.replace(/\b8000\b/g, '0'))

  mkdirSync(bin)
  program('npx', 'exec "$@"')
  program('monoceros', `exec '${process.execPath}' '${commandPath}' "$@"`)
  // What the page says for a Node that cannot run TypeScript by itself.
  const jiti = join(repository, 'node_modules', 'jiti', 'lib', 'jiti-cli.mjs')
  program('node', `exec '${process.execPath}' ${runsTypeScript() ? '' : `'${jiti}'`} "$@"`)
})

afterAll(() => work.remove())

describe.skipIf(!hasPython())('the tutorial', () => {
  test.each(page.sections.filter(({ blocks }) => blocks.length > 0))('$title', async (section) => {
    await runSection(section)
  })
})

test('has eight steps behind what WSGI is, each in both languages', () => {
  const steps = page.sections.filter(({ blocks }) => blocks.length > 0)
  expect(steps.map(({ title }) => title.split('.')[0])).toEqual([
    'What WSGI is',
    ...Array.from({ length: 8 }, (_, index) => String(index + 1)),
  ])
  for (const { title, blocks } of steps) {
    const servers = blocks.flatMap((block) => (block.kind === 'serve' ? [block.server] : []))
    const languages = blocks.flatMap((block) => {
      if (block.kind === 'file') return [block.name.endsWith('.py') ? 'python' : 'typescript']
      return block.kind === 'serve' ? [block.server] : []
    })
    expect(new Set(languages), title).toEqual(new Set(['python', 'typescript']))
    // What is shown for one is shown for both.
    expect(servers.filter((name) => name === 'python').length, title).toBe(servers.length / 2)
  }
})

test('its TypeScript is right to a strict compiler', async () => {
  const guide = readFileSync(join(repository, 'docs', 'guides', 'typescript.md'), 'utf8')
  const [, options = ''] = /```json\n(\{\n {2}"compilerOptions"[\s\S]*?)```/.exec(guide) ?? []
  writeFileSync(join(folder, 'tsconfig.json'), options)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [compilerPath, '--noUncheckedIndexedAccess'],
    { cwd: folder },
  ).catch((error: { stdout: string }) => error)
  expect(stdout).toBe('')
})

test('examples/tutorial has the same files: npm run docs writes them', () => {
  const examples = join(repository, 'examples', 'tutorial')
  const written = readdirSync(examples).filter((name) => /\.(py|ts)$/.test(name))
  const differing = [...new Set([...written, ...files.keys()])].filter((name) => {
    return !written.includes(name) || readFileSync(join(examples, name), 'utf8') !== files.get(name)
  })
  expect(differing).toEqual([])
})

async function runSection({ blocks }: Section): Promise<void> {
  const servers = new Map<string, RunningServer>()
  for (const block of blocks) {
    if (block.kind === 'run') {
      for (const command of block.commands) await runCommand(command, null)
    } else if (block.kind === 'serve') {
      await servers.get(block.server)?.stop()
      servers.set(block.server, await startServer(block.command))
    } else if (block.kind === 'ask') {
      const asked = block.server === null ? [...servers.keys()] : [block.server]
      expect(asked.length, `line ${block.line}: there is a server to ask`).toBeGreaterThan(0)
      for (const name of asked) {
        const server = servers.get(name)
        if (server === undefined) throw new Error(`line ${block.line}: there is no server ${name}`)
        for (const command of block.commands) await runCommand(command, server)
      }
    }
  }
  for (const server of servers.values()) await server.stop()
}

async function runCommand(
  { command, output }: Command,
  server: RunningServer | null,
): Promise<void> {
  const there =
    server === null ? command : command.replaceAll('localhost:8000', `127.0.0.1:${server.port}`)
  const { stdout, stderr } = await runToEnd('bash', ['-c', there], {
    env: environment(),
    cwd: folder,
  })
  const printed = (stdout + stderr).replaceAll('\r', '')
  if (!outputMatches(output, printed))
    expect(printed, `${there}\n${server?.log() ?? ''}`).toBe(output)
}

async function startServer({ command, output }: Command): Promise<RunningServer> {
  const server = await runServer({
    command: 'bash',
    args: ['-c', `exec ${command.replace(/\b8000\b/g, '0')}`],
    env: { ...environment(), MONOCEROS_CMD_ARGS: '--bind 127.0.0.1:0' },
    cwd: folder,
    // A server at all addresses is reached at this one.
    findAddresses: (log) =>
      [...log.matchAll(LISTENING)].map((match) => `http://127.0.0.1:${match[1]}`),
    isReady: (log) => log.search(LISTENING) !== -1,
    isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
  })
  const log = server.log().replaceAll(`:${server.port}`, ':8000')
  if (!outputMatches(output, log, 'within')) expect(log, command).toBe(output)
  return server
}

const LISTENING = /Listening at http:\/\/[^\s:]+:(\d+).*\n/g

/** The environment of a reader who has the virtual environment active. */
function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  }
  for (const name of Object.keys(env)) {
    if (
      /^(MONOCEROS_|WEB_CONCURRENCY$|PORT$|FORCE_COLOR$|NODE_OPTIONS$|VITEST|NODE_ENV$)/.test(name)
    )
      delete env[name]
  }
  const { prefix } = testPython()
  env.VIRTUAL_ENV = prefix
  env.PATH = [bin, join(prefix, 'bin'), env.PATH].join(delimiter)
  return env
}

function program(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(bin, name), 0o755)
}

function runsTypeScript(): boolean {
  return (process.features as { typescript?: unknown }).typescript !== undefined
    ? Boolean((process.features as { typescript?: unknown }).typescript)
    : false
}

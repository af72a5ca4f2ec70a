import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, extname, join } from 'node:path'
import { DockerfileParser } from 'dockerfile-ast'
import { validate } from 'dockerfile-utils'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseCommandLine } from '../../src/settings/command-line.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { packed } from '../support/packed.ts'
import { blocksOf, filesOnPage } from '../support/page-blocks.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runServer } from '../support/running-server.ts'
import { hasProgram } from '../support/system-program.ts'
import { ensureVirtualEnvironment } from '../support/virtual-environment.ts'

// Each file of examples/deploy, checked by the program that reads it. There is no Docker and no
// Kubernetes here: Dockerfiles are parsed, and their steps are run in a clean folder.

const folder = join(repository, 'examples', 'deploy')
const example = (name: string) => readFileSync(join(folder, name), 'utf8')

function scratch(): string {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  return path
}

function check(command: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  expect(status, `${command} ${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
}

describe.skipIf(!hasProgram('systemd-analyze', 'systemd'))('systemd', () => {
  test.each(['mysite', 'mysite-behind-proxy'])('accepts %s.service and its socket', (name) => {
    const path = scratch()
    const files = ['service', 'socket'].map((kind) => {
      const file = join(path, `mysite.${kind}`)
      // It looks for the programs and the folder.
      const text = example(`systemd/${name}.${kind}`)
        .replaceAll(/\/srv\/mysite\/(node_modules|\.venv)\S+/g, '/bin/true')
        .replace('WorkingDirectory=/srv/mysite', `WorkingDirectory=${path}`)
      writeFileSync(file, text)
      return file
    })
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', ...files], {
      encoding: 'utf8',
    })
    // What it does not know, it only mentions.
    expect(stderr).not.toMatch(/mysite\.(service|socket)/)
    expect(status).toBe(0)
  })

  test('finds little that the service could still do', () => {
    const file = join(scratch(), 'mysite.service')
    writeFileSync(file, example('systemd/mysite.service'))
    const threshold = '--threshold=25' // in tenths: 2.5 of 10
    check('systemd-analyze', 'security', '--offline=true', threshold, '--no-pager', file)
  })
})

test.skipIf(!hasProgram('haproxy'))('HAProxy accepts haproxy.cfg', () => {
  const path = scratch()
  const pem = (name: string) => join(path, name)
  const subject = ['-subj', '/CN=mysite.example', '-keyout', pem('key'), '-out', pem('certificate')]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', ['req', '-x509', ...key, ...subject], { stdio: 'ignore' })
  writeFileSync(pem('haproxy.pem'), readFileSync(pem('certificate')))
  writeFileSync(pem('haproxy.pem'), readFileSync(pem('key')), { flag: 'a' })
  const file = join(path, 'haproxy.cfg')
  writeFileSync(
    file,
    example('haproxy.cfg')
      .replace('/etc/mysite/haproxy.pem', pem('haproxy.pem'))
      .replace('/run/haproxy', path),
  )
  check('haproxy', '-c', '-f', file)
})

test.skipIf(!hasProgram('caddy'))('Caddy accepts the Caddyfile', () => {
  const file = join(folder, 'Caddyfile')
  check('caddy', 'validate', '--adapter', 'caddyfile', '--config', file)
  const { status, stdout } = spawnSync('caddy', ['fmt', file], { encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout).toBe(example('Caddyfile'))
})

describe.skipIf(!hasPython())('kubernetes.yaml', () => {
  const environment = join(repository, 'tests', '.cache', 'kubernetes')
  const validator = () => {
    const requirements = join(repository, 'tests', 'requirements-kubernetes.txt')
    mkdirSync(environment, { recursive: true })
    ensureVirtualEnvironment(testPython(), environment, requirements)
    return join(environment, 'bin', 'kubernetes-validate')
  }

  test('is valid for the newest Kubernetes and an older one', () => {
    const file = join(folder, 'kubernetes.yaml')
    for (const version of ['1.37', '1.30']) check(validator(), '--strict', '-k', version, file)
  }, 300_000)

  test('would not be with a wrong field', () => {
    const file = join(scratch(), 'wrong.yaml')
    writeFileSync(file, example('kubernetes.yaml').replace('runAsNonRoot', 'runAsNoRoot'))
    expect(spawnSync(validator(), ['--strict', file]).status).not.toBe(0)
  }, 300_000)

  test('has commands that exist', () => {
    const [, list = ''] = /\n {10}args:\n((?: {12}.*\n)+)/.exec(example('kubernetes.yaml')) ?? []
    const args = [...list.matchAll(/^ +- "?([^"\n]+)"?$/gm)].map(([, arg]) => arg!)
    expect(args[0]).toBe('node_modules/.bin/monoceros')
    expect(() => parseCommandLine(args.slice(1))).not.toThrow()
  })
})

test('compose.yaml has commands that exist', () => {
  const [, list = ''] = /\n {4}command:\n((?: {6}- .*\n)+)/.exec(example('compose.yaml')) ?? []
  const args = [...list.matchAll(/^ +- "?([^"\n]+)"?$/gm)].map(([, arg]) => arg!)
  expect(args[0]).toBe('node_modules/.bin/monoceros')
  expect(() => parseCommandLine(args.slice(1))).not.toThrow()
})

test('no secret of compose.yaml gets into the image', () => {
  const ignored = example('dockerignore').split('\n')
  const files = [...example('compose.yaml').matchAll(/^ {4}file: \.\/(\S+)$/gm)]
  expect(files.map(([, file]) => file)).toContain('privkey.pem')
  for (const [, file] of files) expect(ignored).toContain(`*${extname(file!)}`)
  expect(ignored).toContain('**/.env*')
})

describe('a Dockerfile', () => {
  const names = readdirSync(folder).filter((name) => name.endsWith('.Dockerfile'))

  test.each(names)('%s is valid, and its user is not root', (name) => {
    expect(validate(example(name)).map(({ message }) => message)).toEqual([])
    const users = DockerfileParser.parse(example(name))
      .getInstructions()
      .filter((instruction) => instruction.getKeyword() === 'USER')
    expect(users.map((user) => user.getArgumentsContent())).toEqual(['1000:1000'])
  })

  test('is on the page as it is', () => {
    const page = readFileSync(join(repository, 'docs', 'guides', 'deploy.md'), 'utf8')
    for (const name of [...names, 'haproxy.cfg', 'Caddyfile'])
      expect(page.includes(`\n${example(name)}\`\`\`\n`), name).toBe(true)
  })

  // Both of python.Dockerfile's stages have the same paths, so one folder is both.
  test.skipIf(!hasPython())(
    'python.Dockerfile makes something that serves',
    async () => {
      const path = scratch()
      const context = join(path, 'context')
      const image = join(path, 'image')
      mkdirSync(context)
      mkdirSync(image)
      const admin = join(testPython().prefix, 'bin', 'django-admin')
      execFileSync(admin, ['startproject', 'mysite', context])
      const project = blocksOf('docs/guides/deploy.md').filter(
        ({ language }) => language === 'python',
      )
      for (const [name, text] of filesOnPage(project)) writeFileSync(join(context, name), text)
      writeFileSync(join(context, 'requirements.txt'), 'django\n')
      const { tarball } = (await packed()).monoceros
      cpSync(tarball, join(context, basename(tarball)))

      const env: NodeJS.ProcessEnv = { ...process.env, VIRTUAL_ENV: undefined }
      const here = (text: string) => text.replaceAll('/srv/mysite', image)
      let command: string[] = []
      for (const instruction of DockerfileParser.parse(
        example('python.Dockerfile'),
      ).getInstructions()) {
        const args = instruction.getArguments().map((argument) => argument.getValue())
        const text = here(instruction.getRawArgumentsContent() ?? '')
        switch (instruction.getKeyword()) {
          case 'RUN':
            if (!text.startsWith('apt-get'))
              execFileSync('sh', ['-ec', text], { cwd: image, env, stdio: 'pipe' })
            break
          case 'COPY':
            if (instruction.toString().includes('--from=')) break
            for (const name of args.slice(0, -1))
              cpSync(join(context, name), join(image, name), { recursive: true })
            break
          case 'ENV':
            for (const pair of args) env[pair.split('=')[0]!] = pair.slice(pair.indexOf('=') + 1)
            break
          case 'CMD':
            command = JSON.parse(text) as string[]
        }
      }
      const port = await freePort()
      const server = await runServer({
        command: join(image, command[0]!),
        args: command.slice(1).map((arg) => arg.replace('0.0.0.0:8000', `127.0.0.1:${port}`)),
        env,
        cwd: image,
        findAddresses: () => [`http://127.0.0.1:${port}`],
        isReady: (log) => log.includes('Listening at'),
        isWorker: (line) => line.includes('monoceros-worker'),
      })
      const home = spawnSync('curl', ['-sS', '-H', 'Host: mysite.example', server.url])
      expect(home.stdout.toString()).toBe('Hello over http at mysite.example\n')
      const style = await fetch(`${server.url}/static/admin/css/base.css`)
      expect(style.status).toBe(200)
    },
    300_000,
  )
})

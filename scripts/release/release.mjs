/**
 * `npm run release`: makes a release of what is committed, up to its tag. It publishes nothing: the
 * workflow does that, when the tag is pushed.
 *
 *     npm run release -- --dry-run minor     says what it would do, and changes nothing
 *     npm run release -- minor               major, minor, patch, or a version such as 1.2.0-rc.1
 *     npm run release -- patch --compatible  a person has read the changes of what is public, and
 *                                            says that they break nobody
 *
 * Everything happens in a clone of its own first: the version, the changelog, the artefacts and
 * their checks. Only when all of that has worked are the commit and the tag made here.
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { changesSinceRelease } from '../api/since-release.mjs'
import { releaseSection } from './changelog.mjs'
import {
  compareVersions,
  levelBetween,
  levelFor,
  nextVersion,
  parseVersion,
  ReleaseError,
  suffices,
} from './version.mjs'
import { setVersion } from './version-files.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const USAGE = 'Usage: npm run release -- [--dry-run] [--compatible] major|minor|patch|X.Y.Z'

try {
  release(argumentsOf(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof ReleaseError)) throw error
  console.error(error.message)
  process.exit(1)
}

function argumentsOf(args) {
  const boolean = { type: 'boolean', default: false }
  const options = { 'dry-run': boolean, compatible: boolean, python: { type: 'string' } }
  let parsed
  try {
    parsed = parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new ReleaseError(`${error.message.split('\n')[0]}\n${USAGE}`)
  }
  if (parsed.positionals.length !== 1) throw new ReleaseError(USAGE)
  return { wanted: parsed.positionals[0], ...parsed.values }
}

function release({ wanted, compatible, python, 'dry-run': dryRun }) {
  const version = versionOf(wanted, compatible)
  const clone = mkdtempSync(join(tmpdir(), 'monoceros-release-'))
  try {
    makeClone(clone)
    prepare(clone, version)
    const patch = git(clone, ['diff', '--binary', 'HEAD'])
    console.log(git(clone, ['diff', '--stat', 'HEAD']))
    console.log(shortened(patch))
    run(clone, 'npm', ['run', '-s', 'artefacts', ...(python ? ['--', '--python', python] : [])])
    if (dryRun) {
      console.log(`\nThat was a dry run of ${version}: nothing has changed here.`)
      return
    }
    git(root, ['apply', '--index', '-'], patch)
    git(root, ['commit', '--quiet', '--message', `Release ${version}`])
    git(root, ['tag', '--annotate', '--message', `Monoceros ${version}`, `v${version}`])
    rmSync(join(root, 'dist-release'), { recursive: true, force: true })
    cpSync(join(clone, 'dist-release'), join(root, 'dist-release'), { recursive: true })
  } finally {
    rmSync(clone, { recursive: true, force: true })
  }
  const branch = git(root, ['branch', '--show-current']).trim() || 'HEAD'
  console.log(
    `\nCommitted and tagged as v${version}; the artefacts are in dist-release. To publish:`,
  )
  console.log(`  git push --atomic origin ${branch} v${version}`)
}

/** Finds the version, and refuses what must not be released. */
function versionOf(wanted, compatible) {
  const dirty = git(root, ['status', '--porcelain'])
  if (dirty !== '')
    throw new ReleaseError(`Commit or stash first; these files have changed:\n${dirty.trimEnd()}`)
  const tags = git(root, ['tag', '--list', 'v*']).split('\n')
  const released = tags
    .map((tag) => tag.slice(1))
    .filter((tag) => parseVersion(tag) !== null)
    .sort(compareVersions)
  const last = released.at(-1) ?? null
  if (released.includes(wanted)) throw new ReleaseError(`The tag v${wanted} exists already.`)
  const version = nextVersion(wanted, last)
  releaseSection(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version, today())
  if (last !== null && !compatible) requireLevel(last, version)
  const before = last === null ? 'the first release' : `the release after ${last}`
  console.log(`This is ${version}, ${before}.`)
  return version
}

/** Refuses a version that is too small for the changes of what is public. */
function requireLevel(last, version) {
  const changes = changesSinceRelease(root)
  if (changes === null) throw new ReleaseError('api/released has no reports of the last release.')
  const needed = levelFor(last, changes)
  if (suffices(levelBetween(last, version), needed)) return
  const { numbers } = parseVersion(last)
  const why = changes.filter(({ breaking }) => breaking || numbers[0] > 0)
  throw new ReleaseError(
    [
      `${version} is too small a step: what is public has changed since ${last}, for which the ` +
        `${needed} number must be raised.`,
      ...why.map(({ report, text }) => `- ${report}: ${text}`),
      'Raise that number. If you have read the list and nothing breaks, add --compatible.',
    ].join('\n'),
  )
}

/** A clone with the packages that are installed here. */
function makeClone(clone) {
  git(root, ['clone', '--quiet', '--shared', '--no-tags', root, clone])
  // Hard links, where the file system has them.
  try {
    execFileSync('cp', ['-al', join(root, 'node_modules'), clone], { stdio: 'ignore' })
  } catch {
    rmSync(join(clone, 'node_modules'), { recursive: true, force: true })
    cpSync(join(root, 'node_modules'), join(clone, 'node_modules'), {
      recursive: true,
      verbatimSymlinks: true,
    })
  }
}

function prepare(clone, version) {
  run(clone, 'npm', ['run', '-s', 'api'])
  if (git(clone, ['status', '--porcelain', 'api']) !== '')
    throw new ReleaseError(
      'The reports in api are not those of the code: run npm run api, and commit.',
    )
  setVersion(clone, version)
  const changelog = join(clone, 'CHANGELOG.md')
  writeFileSync(changelog, releaseSection(readFileSync(changelog, 'utf8'), version, today()))
  const released = join(clone, 'api', 'released')
  rmSync(released, { recursive: true, force: true })
  mkdirSync(released)
  for (const name of readdirSync(join(clone, 'api')))
    if (name.endsWith('.api.md')) copyFileSync(join(clone, 'api', name), join(released, name))
  git(clone, ['add', '--all'])
}

/** A patch without what is long and tells nothing. */
function shortened(patch) {
  return patch
    .split(/^(?=diff --git )/m)
    .filter((part) => !/^diff --git a\/(api\/released|package-lock)/.test(part))
    .join('')
}

/** In UTC. */
function today() {
  return new Date().toISOString().slice(0, 10)
}

function git(cwd, args, input = '') {
  return execFileSync('git', args, { cwd, encoding: 'utf8', input, maxBuffer: 64 * 1024 * 1024 })
}

function run(cwd, program, args) {
  try {
    execFileSync(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  } catch {
    throw new ReleaseError(`${program} ${args.join(' ')} failed in a clone of what is committed.`)
  }
}

/**
 * `npm run artefacts`: makes everything that a release publishes, and checks it.
 *
 *     npm run artefacts                         into dist-release
 *     npm run artefacts -- --python PATH        makes the Python package with another Python
 *
 * It writes the npm packages, the wheels, the sdists, an SBOM of each (CycloneDX 1.6), and
 * SHA256SUMS. The workflow of a release runs it once, and publishes these files.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { filesInTarball, readFromTarball, readFromWheel, readManifest } from './archives.mjs'
import { packageProblems, wheelProblems } from './artefact-checks.mjs'
import { licenceProblems, packagesOfNotices } from './licences.mjs'
import { packageSbom, wheelSbom } from './sbom.mjs'
import { pythonVersion } from './version.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const target = join(root, 'dist-release')
/** The licences of what is bundled in a package. */
const NOTICES = 'THIRD-PARTY-LICENSES.txt'
const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } })

const { version } = readManifest(root)
rmSync(target, { recursive: true, force: true })
mkdirSync(target)

const problems = []
const work = mkdtempSync(join(tmpdir(), 'monoceros-packages-'))
try {
  run('npm', 'run', '-s', 'build')
  await addServer()
  await addSite()
} finally {
  rmSync(work, { recursive: true, force: true })
}
if (problems.length > 0) {
  console.error(`These artefacts cannot be published:\n${problems.join('\n')}`)
  process.exit(1)
}
writeSums()

/** The server and the embedded Python for npm, and the server for pip. */
async function addServer() {
  const printed = script('pack.mjs', '--to', work)
  for (const line of printed.trim().split('\n')) await addPackage(JSON.parse(line).tarball)
  await addPythonPackage('monoceros', join(work, 'python'))
}

/** The site, for npm and for pip; it is built once. */
async function addSite() {
  const site = join(work, 'built', 'site')
  script('site.mjs', '--build', '--to', site)
  const printed = script('pack-learn.mjs', '--to', work, '--site', site)
  await addPackage(JSON.parse(printed).tarball)
  await addPythonPackage('monoceros-learn', join(work, 'python-learn'), '--learn', '--site', site)
}

async function addPackage(packed) {
  const name = basename(packed)
  const tarball = join(target, name)
  copyFileSync(packed, tarball)
  problems.push(...packageProblems(tarball, version))
  const notices = filesInTarball(tarball).includes(NOTICES)
    ? readFromTarball(tarball, NOTICES)
    : null
  const bundled = notices === null ? [] : packagesOfNotices(notices)
  addSbom(`${name.slice(0, -'.tgz'.length)}.npm.cdx.json`, await packageSbom(tarball, bundled))
}

async function addPythonPackage(name, made, ...options) {
  script('wheel.mjs', '--python', values.python, '--target', made, ...options)
  const python = join(root, 'dist-python', 'tools', 'bin', 'python')
  const released = pythonVersion(version)
  const stem = `${name.replace('-', '_')}-${released}`
  const names = readdirSync(made).filter((file) => /\.(whl|tar\.gz)$/.test(file))
  for (const file of names) copyFileSync(join(made, file), join(target, file))
  problems.push(...wheelProblems(python, target, names, stem))
  const wheel = join(target, `${stem}-py3-none-any.whl`)
  const metadata = readFromWheel(python, wheel, '*.dist-info/METADATA')
  const field = (key) =>
    [...metadata.split('\n\n')[0].matchAll(new RegExp(`^${key}: (.*)$`, 'gm'))].map(
      ([, text]) => text,
    )
  const sbom = await wheelSbom({
    name,
    version: released,
    license: field('License-Expression')[0],
    bundled: packagesOfNotices(readFromWheel(python, wheel, `*.dist-info/*/${NOTICES}`)),
    requirements: field('Requires-Dist')
      .filter((text) => !/;.*\bextra\b/.test(text))
      .map((text) => /^[\w.-]+/.exec(text)[0]),
  })
  addSbom(`${stem}.wheel.cdx.json`, sbom)
}

/** Runs one of the other scripts. @returns {string} what it prints */
function script(name, ...args) {
  const path = join(root, 'scripts', name)
  return execFileSync(process.execPath, [path, ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function run(program, ...args) {
  execFileSync(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}

function addSbom(name, sbom) {
  writeFileSync(join(target, name), sbom)
  problems.push(...licenceProblems(sbom).map((problem) => `${name}: ${problem}`))
}

/** In the form that `sha256sum --check` reads. */
function writeSums() {
  const sums = readdirSync(target)
    .sort()
    .map((name) => {
      const bytes = readFileSync(join(target, name))
      console.log(`${name.padEnd(48)} ${(bytes.length / 1000).toFixed(1).padStart(9)} kB`)
      return `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`
    })
  writeFileSync(join(target, 'SHA256SUMS'), sums.join(''))
}

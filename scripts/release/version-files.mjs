import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ReleaseError } from './version.mjs'

/** Constants that hold the version, for programs that must not read package.json for it. */
const CONSTANTS = [
  { file: 'src/settings/version.ts', line: /^(export const version: string = ')[^']*(')$/m },
  { file: 'python/monoceros/__init__.py', line: /^(__version__ = ")[^"]*(")$/m },
]
const DEPENDENCIES = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies']
/** Pages and examples name the packages with their versions. What was written once stays. */
const PAGES = ['README.md', 'packages', 'docs', 'examples', 'tests', ':!docs/decisions']

/**
 * Sets one version everywhere: in the packages and in what they need of each other, in the lock
 * file, in the constants, and in names such as `monoceros-0.1.0.tgz` on pages.
 *
 * @param {string} root a clone
 * @param {string} version
 * @throws {ReleaseError} if a constant is not where it is expected
 */
export function setVersion(root, version) {
  const manifest = readJson(join(root, 'package.json'))
  const old = manifest.version
  const folders = ['', ...(manifest.workspaces ?? [])]
  const names = folders.map((folder) => readJson(join(root, folder, 'package.json')).name)
  for (const folder of folders)
    changeJson(join(root, folder, 'package.json'), (file) => apply(file, names, version))
  changeJson(join(root, 'package-lock.json'), (lock) => {
    lock.version = version
    for (const folder of folders) apply(lock.packages[folder], names, version)
  })
  for (const { file, line } of CONSTANTS) {
    const text = readFileSync(join(root, file), 'utf8')
    if (!line.test(text)) throw new ReleaseError(`${file} has no line like ${line.source}`)
    writeFileSync(join(root, file), text.replace(line, `$1${version}$2`))
  }
  const named = new RegExp(
    `(monoceros(?:[-_]pyodide)?(?:[-/ ]|==))${old.replaceAll('.', '\\.')}(?!\\d)`,
    'g',
  )
  for (const file of trackedIn(root, PAGES)) {
    const text = readFileSync(join(root, file), 'utf8')
    const changed = text.replace(named, `$1${version}`)
    if (changed !== text) writeFileSync(join(root, file), changed)
  }
}

/** Of a manifest, or the entry of a package in the lock file. */
function apply(manifest, names, version) {
  manifest.version = version
  for (const key of DEPENDENCIES)
    for (const name of names) if (manifest[key]?.[name] !== undefined) manifest[key][name] = version
}

function trackedIn(root, paths) {
  const options = { cwd: root, encoding: 'utf8' }
  const list = execFileSync('git', ['ls-files', '-z', '--', ...paths], options).split('\0')
  return list.filter(
    (file) => /\.(md|ts|Dockerfile|ya?ml|txt|json)$/.test(file) && existsSync(join(root, file)),
  )
}

function changeJson(path, change) {
  const value = readJson(path)
  change(value)
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { filesInTarball, filesInWheel, readFromTarball } from './archives.mjs'

const publint = fileURLToPath(new URL('../../node_modules/.bin/publint', import.meta.url))
/** Scripts that npm runs where a package is installed. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']
/** What belongs in the repository, and in nothing that is published. */
const UNWANTED = [
  /\.(test\.\w+|tsbuildinfo|pyc|tgz|log)$/,
  /(^|\/)(node_modules|__pycache__|\.env.*|\.git)(\/|$)/,
]
/** The server is a bundle; the embedded Python has its library; the site is and has both. */
const LICENCES_OF = {
  monoceros: ['THIRD-PARTY-LICENSES.txt'],
  'monoceros-pyodide': ['LICENSE-PYTHON.txt'],
  'monoceros-learn': ['THIRD-PARTY-LICENSES.txt', 'LICENSE-PYTHON.txt'],
}
/** The one package that the wheel brings as it is: `rate_limit_store` loads it by its name. */
const IOREDIS = /^monoceros\/_server\/node_modules\/ioredis\/(index\.js|package\.json)$/

/**
 * What is wrong with an npm tarball, also what publint says.
 *
 * @param {string} tarball a path
 * @param {string} version that it must have
 * @returns {string[]}
 */
export function packageProblems(tarball, version) {
  const name = basename(tarball)
  const files = filesInTarball(tarball)
  const manifest = JSON.parse(readFromTarball(tarball, 'package.json'))
  const problems = unwanted(files)
  if (manifest.version !== version) problems.push(`has version ${manifest.version}, not ${version}`)
  for (const file of ['LICENSE', 'README.md'])
    if (!files.includes(file)) problems.push(`has no ${file}`)
  for (const licences of LICENCES_OF[manifest.name])
    if (!files.includes(licences)) problems.push(`has no ${licences} for what others wrote of it`)
  for (const script of INSTALL_SCRIPTS)
    if (manifest.scripts?.[script] !== undefined) problems.push(`has the install script ${script}`)
  const { status, stdout, stderr } = spawnSync(publint, ['--strict', tarball], { encoding: 'utf8' })
  if (status !== 0) problems.push(`is not as publint wants it: ${stdout}${stderr}`)
  return problems.map((problem) => `${name} ${problem}`)
}

/**
 * What is wrong with a wheel and its sdist, also what twine and check-wheel-contents say.
 *
 * @param {string} python of the environment with these tools
 * @param {string} folder with the files
 * @param {readonly string[]} names of the files
 * @param {string} stem the name and the version that they must have, such as `monoceros-1.2.3`
 * @returns {string[]}
 */
export function wheelProblems(python, folder, names, stem) {
  const wheel = `${stem}-py3-none-any.whl`
  const wanted = [wheel, `${stem}.tar.gz`]
  const missing = wanted.filter((name) => !names.includes(name))
  if (missing.length > 0) return missing.map((name) => `${name} was not made`)
  const files = filesInWheel(python, join(folder, wheel)).filter((path) => !IOREDIS.test(path))
  const problems = unwanted(files).map((problem) => `${wheel} ${problem}`)
  const paths = wanted.map((name) => join(folder, name))
  const checks = [
    ['twine', 'check', '--strict', ...paths],
    // The server has a copy of the package's first file, so that a worker imports its own.
    ['check_wheel_contents', '--ignore', 'W002', paths[0]],
  ]
  for (const args of checks) {
    const { status, stdout, stderr } = spawnSync(python, ['-m', ...args], { encoding: 'utf8' })
    if (status !== 0) problems.push(`${args[0]} ${args[1]}: ${stdout}${stderr}`)
  }
  return problems
}

function unwanted(files) {
  return files
    .filter((path) => UNWANTED.some((name) => name.test(path)))
    .map((path) => `has ${path}`)
}

/**
 * bench/.venv: the peers, the frameworks and the Python that runs all of them, us included.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIRECTORY = fileURLToPath(new URL('.venv', import.meta.url))
const BIN = join(DIRECTORY, 'bin')
const PYTHON = join(BIN, 'python3')
/**
 * Why a package is not there, by its name. It is not tried again at each run: building may take a
 * minute.
 */
const FAILURES = join(DIRECTORY, 'failures.json')

/**
 * @typedef {object} VirtualEnvironment
 * @property {string} bin Its folder of commands.
 * @property {string} python Its Python's version.
 * @property {Record<string, string>} versions Of the packages that are there.
 * @property {Record<string, string>} failures Why the others are not.
 */

/**
 * Makes what is missing of the virtual environment.
 *
 * @param {object} wanted
 * @param {{name: string, needs?: string}[]} wanted.packages In their newest versions when they are
 * installed.
 * @param {string | undefined} wanted.python The interpreter to make it from; when it is there and
 * made from another version, it is made anew. Without one: `python3`, or the environment that is
 * there.
 * @param {boolean} wanted.update Bring everything to its newest version, and try again what failed
 * before.
 * @param {(line: string) => void} wanted.say
 * @returns {VirtualEnvironment}
 */
export function ensureVirtualEnvironment({ packages, python, update, say }) {
  const there = existsSync(PYTHON) ? versionOf(PYTHON) : null
  if (there === null || (python !== undefined && versionOf(python) !== there)) {
    const base = python ?? 'python3'
    say(`Making bench/.venv with Python ${versionOf(base)}`)
    rmSync(DIRECTORY, { recursive: true, force: true })
    const made = run(base, ['-m', 'venv', DIRECTORY])
    if (made.status !== 0) {
      throw new Error(
        `${base} -m venv failed (on Debian, install python3-venv): ${lastLine(made.output)}`,
      )
    }
  }

  const before = update ? {} : installed()
  /** @type {Record<string, string>} */
  const failures = update || !existsSync(FAILURES) ? {} : JSON.parse(readFileSync(FAILURES, 'utf8'))
  const tried = new Set([...Object.keys(before), ...Object.keys(failures)])
  for (const { name, needs } of packages) {
    if (tried.has(name)) continue
    tried.add(name)
    say(`Installing ${name}`)
    // One by one: one that does not build takes none of the others with it.
    const result = run(PYTHON, [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--upgrade',
      name,
    ])
    if (result.status !== 0) {
      failures[name] = [
        `pip install ${name} failed: ${lastLine(result.output)}`,
        ...(needs ? [`It needs ${needs}.`] : []),
        'Try again with --update.',
      ].join(' ')
    }
  }
  writeFileSync(FAILURES, JSON.stringify(failures))
  return { bin: BIN, python: versionOf(PYTHON), versions: installed(), failures }
}

/** The versions of all packages, by the names that their projects spell. */
function installed() {
  const program =
    'import importlib.metadata as m, json; print(json.dumps({d.metadata["Name"]: d.version ' +
    'for d in m.distributions()}))'
  return JSON.parse(run(PYTHON, ['-c', program]).stdout)
}

function versionOf(python) {
  const { status, stdout, output } = run(python, [
    '-c',
    'import platform; print(platform.python_version())',
  ])
  if (status !== 0) {
    throw new Error(
      `${python} does not start: ${lastLine(output)}. Name another Python with --python.`,
    )
  }
  return stdout.trim()
}

function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  return { status, stdout, output: error ? error.message : `${stdout}${stderr}` }
}

/** The last line that pip says which names a reason. */
function lastLine(output) {
  const lines = output.split('\n').map((line) => line.trim())
  return (
    lines.findLast((line) => /error:/i.test(line) && !/subprocess-exited/.test(line)) ??
    lines.findLast((line) => line !== '') ??
    'it said nothing'
  )
}

/**
 * `npm run wheel`: makes the Python package, `dist-python/monoceros-VERSION-py3-none-any.whl` and
 * the sdist beside it.
 *
 *     npm run wheel                      with `python3`, and the tools of packages/wheel
 *     npm run wheel -- --python PATH     with another Python
 *     npm run wheel -- --target FOLDER   writes them to another folder
 *     npm run wheel -- --learn           the package monoceros-learn, of the site that was built
 *
 * The tools are installed into a virtual environment in `dist-python`, once.
 */
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  bundlePackage,
  bundleServer,
  copyDashboard,
  copyMessages,
  dashboardPackages,
  licencesOf,
} from './bundle.mjs'
import { stageLearn } from './learn-package.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const here = join(root, 'packages', 'wheel')
const standard = join(root, 'dist-python')

/** For programs in Python, outside the server's own folder. */
const PROGRAM = ['__main__.py', 'command.py', 'program.py', 'py.typed']
/** That, and in the server's own folder: a worker never imports from another version's. */
const SHARED = ['__init__.py', 'codes.py']
/** Imported if they are there: for applications in TypeScript, and for the embedded Python. */
const EXTERNAL = ['jiti']

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    target: { type: 'string', default: standard },
    learn: { type: 'boolean', default: false },
    site: { type: 'string', default: join(root, 'site', 'dist') },
  },
})
const target = resolve(values.target)
const source = join(target, values.learn ? 'source-learn' : 'source')

if (values.learn) stageLearnPackage()
else await stage()
const tools = ensureTools(values.python)
for (const name of ['wheel', 'sdist'])
  execFileSync(tools, ['-m', 'build', `--${name}`, '--no-isolation', '--outdir', target, source], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: epoch() },
  })

/** Puts everything together that the package has, in the form that it has there. */
async function stage() {
  rmSync(source, { recursive: true, force: true })
  const python = join(source, 'monoceros')
  const server = join(python, '_server')
  mkdirSync(server, { recursive: true })
  for (const name of [...PROGRAM, ...SHARED])
    cpSync(join(root, 'python', 'monoceros', name), join(python, name))
  const bundled = [
    ...(await bundleServer(join(server, 'dist'), EXTERNAL)),
    // For `rate_limit_store`; pip has nothing that users could install for that.
    ...(await bundlePackage('ioredis', server)),
  ]
  const { name, version, type, license } = readJson(join(root, 'package.json'))
  const manifest = { name, version, type, license, private: true }
  writeFileSync(join(server, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  cpSync(join(root, 'python'), join(server, 'python'), {
    recursive: true,
    filter: (path) =>
      !PROGRAM.includes(basename(path)) &&
      !/__pycache__|\.pyc$|\/tests$|monoceros_pyodide/.test(path),
  })
  for (const file of ['pyproject.toml', 'README.md']) cpSync(join(here, file), join(source, file))
  cpSync(join(root, 'LICENSE'), join(source, 'LICENSE'))
  copyDashboard(join(server, 'dist'))
  copyMessages(join(server, 'dist'))
  const { text, licences } = licencesOf([...new Set([...bundled, ...dashboardPackages])].sort())
  writeFileSync(join(source, 'THIRD-PARTY-LICENSES.txt'), text)
  checkLicences(licences)
}

/** The same as the npm package of that name, as a package of Python without a program. */
function stageLearnPackage() {
  const learn = join(root, 'packages', 'learn')
  rmSync(source, { recursive: true, force: true })
  const folder = join(source, 'monoceros_learn')
  mkdirSync(folder, { recursive: true })
  const licences = stageLearn(folder, resolve(values.site))
  const { version } = readJson(join(root, 'package.json'))
  const title = '"""The site that the command "monoceros learn" serves."""'
  writeFileSync(join(folder, '__init__.py'), `${title}\n\n__version__ = "${version}"\n`)
  // The modules are ES modules.
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  for (const name of ['THIRD-PARTY-LICENSES.txt', 'LICENSE-PYTHON.txt'])
    renameSync(join(folder, name), join(source, name))
  for (const name of ['pyproject.toml', 'README.md', 'LICENSE'])
    cpSync(join(learn, name), join(source, name))
  checkLicences(licences, learn)
}

/** The package's own metadata name every licence of what is in it. */
function checkLicences(licences, folder = here) {
  const metadata = readFileSync(join(folder, 'pyproject.toml'), 'utf8')
  const [, expression] = /^license = "(.*)"$/m.exec(metadata)
  const named = expression.split(' AND ')
  const missing = licences.filter((licence) => !named.includes(licence))
  if (missing.length === 0) return
  throw new Error(`${join(folder, 'pyproject.toml')}: license does not name ${missing.join(', ')}`)
}

/** The Python of a virtual environment with the tools in their pinned versions. */
function ensureTools(python) {
  const folder = join(standard, 'tools')
  const requirements = join(here, 'requirements.txt')
  const stamp = join(folder, 'made-from')
  const wanted = readFileSync(requirements, 'utf8')
  const own = join(folder, 'bin', 'python')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return own
  rmSync(folder, { recursive: true, force: true })
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'] }
  try {
    execFileSync(python, ['-m', 'venv', folder], quiet)
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    console.error(`npm run wheel: there is no ${python}; install Python, or name it: --python PATH`)
    process.exit(1)
  }
  execFileSync(
    own,
    ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '-r', requirements],
    quiet,
  )
  // Written last, so that a folder that is incomplete is made again.
  writeFileSync(stamp, wanted)
  return own
}

/** The time of files in the archives, so that the same sources make the same bytes. */
function epoch() {
  const { SOURCE_DATE_EPOCH: given } = process.env
  if (given !== undefined) return given
  try {
    return execFileSync('git', ['log', '-1', '--format=%ct'], {
      cwd: root,
      encoding: 'utf8',
    }).trim()
  } catch {
    return '1767225600' // not in a clone
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/**
 * `npm run pack`: makes the npm packages `monoceros` and `monoceros-pyodide`, as they are
 * published. `scripts/pack-learn.mjs` makes `monoceros-learn`.
 *
 *     npm run pack                      into dist-npm/, after a build
 *     node scripts/pack.mjs --to DIR    into another folder, of the build that is there
 *
 * It prints a line of JSON for each: name, tarball, its size and that of its files, in bytes.
 *
 * The package is not packed from the root of the repository, because it is something else: its code
 * is bundled (scripts/bundle.mjs), its package.json has no scripts, and it has fewer documents.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bundleAll, copyDashboard, copyMessages, dashboardPackages, licencesOf } from './bundle.mjs'
import { writeDeclarations } from './declarations.mjs'
import { moveEmbedded } from './embedded-part.mjs'
import { packFolder } from './pack-folder.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: { to: { type: 'string', default: join(root, 'dist-npm') } },
})
const target = resolve(values.to)

/** Fields of the repository's package.json that are for whoever works on it. */
const FOR_DEVELOPERS = ['scripts', 'devDependencies', 'overrides', 'workspaces', 'files']
/** The manual is half a megabyte, so it is not here: nothing reads it at run time. */
const DOCUMENTS = ['README.md', 'LICENSE']
const NOT_SHIPPED = /(^|\/)(__pycache__|tests|deploy|node_modules)(\/|$)|\.(pyc|sqlite3)$/

/** What only the embedded interpreter imports: it has a whole copy of the Python side. */
const EMBEDDED_ONLY = /^python\/(monoceros_pyodide(\/|$)|monoceros\/embedded)/
/** What makes a Python package of the server (scripts/wheel.mjs). */
const WHEEL_ONLY = /^python\/monoceros\/(__main__\.py|command\.py|program\.py|py\.typed)$/

mkdirSync(target, { recursive: true })
const server = await stageServer()
const embedded = stageEmbedded()
moveEmbedded(join(server, 'dist', 'parts'), embedded)
for (const folder of [server, embedded]) console.log(JSON.stringify(packFolder(folder, target)))

/** Puts everything together that `monoceros` has. */
async function stageServer() {
  const folder = empty(join(target, 'monoceros'))
  const manifest = readJson(join(root, 'package.json'))
  const published = Object.fromEntries(
    Object.entries(manifest).filter(([field]) => !FOR_DEVELOPERS.includes(field)),
  )
  writeJson(join(folder, 'package.json'), published)
  // These are imported if they are installed; all others become part of the bundle.
  const external = [
    ...Object.keys(published.dependencies),
    ...Object.keys(published.peerDependencies),
  ]
  const api = publicModules(manifest.exports)
  const bundled = await bundleAll(join(folder, 'dist'), external, api)
  copyDashboard(join(folder, 'dist'))
  copyMessages(join(folder, 'dist'))
  writeDeclarations(api, join(root, 'dist'), join(folder, 'dist'))
  writeFileSync(
    join(folder, 'THIRD-PARTY-LICENSES.txt'),
    licencesOf([...bundled, ...dashboardPackages].sort()).text,
  )
  copy(folder, 'python', (path) => !EMBEDDED_ONLY.test(path) && !WHEEL_ONLY.test(path))
  for (const name of DOCUMENTS) copy(folder, name)
  unlinkMissing(folder)
  return folder
}

/** Puts everything together that `monoceros-pyodide` has. */
function stageEmbedded() {
  const folder = empty(join(target, 'monoceros-pyodide'))
  const source = join(root, 'packages', 'pyodide')
  const manifest = readJson(join(source, 'package.json'))
  writeJson(join(folder, 'package.json'), manifest)
  for (const name of ['LICENSE', 'README.md', ...manifest.files])
    if (name !== 'python' && name !== 'embedded.js') cpSync(join(source, name), join(folder, name))
  copy(folder, 'python/monoceros')
  copy(folder, 'python/monoceros_pyodide')
  return folder
}

/** `{ '.': { default: './dist/index.js' } }` → `['index']` */
function publicModules(exported) {
  return Object.values(exported).flatMap((conditions) => {
    const [, name] = /^\.\/dist\/(.*)\.js$/.exec(conditions.default ?? '') ?? []
    return name === undefined ? [] : [name]
  })
}

function copy(folder, name, wanted = () => true) {
  const filter = (path) => !NOT_SHIPPED.test(path) && wanted(path)
  cpSync(join(root, name), join(folder, name), {
    recursive: true,
    filter: (path) => filter(relative(root, path)),
  })
}

/** Makes plain text of links to documents that are not in the package. */
function unlinkMissing(folder) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.md')) continue
    const page = join(folder, name)
    const text = readFileSync(page, 'utf8').replace(
      /(!?)\[([^\]]*)\]\(([^)\s]+)\)/g,
      (link, image, words, to) => {
        const path = to.replace(/#.*/, '')
        if (path === '' || /^[a-z]+:/.test(path) || existsSync(join(page, '..', path))) return link
        return image === '!' ? '' : words
      },
    )
    writeFileSync(page, text)
  }
}

function empty(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)
}

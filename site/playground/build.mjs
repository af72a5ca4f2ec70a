/**
 * Builds the playground into a folder: its scripts and style, Pyodide, the server's Python side and
 * the packages that the tutorial imports. Nothing of it is loaded from anywhere else.
 *
 *     node site/playground/build.mjs --to DIR
 *
 * `buildPlayground(folder)` is for other scripts.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { rolldown } from 'rolldown'
import { tutorialTasks } from './tutorial-tasks.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

/** What a browser loads of Pyodide. */
const PYODIDE = ['pyodide.mjs', 'pyodide.asm.mjs', 'pyodide.asm.wasm', 'pyodide-lock.json']
/** Python packages that the tutorial imports, in `packages/`. */
const WHEELS = readdirSync(join(here, 'packages')).filter((name) => name.endsWith('.whl'))

/**
 * @param {string} folder where it is put; what is there is replaced
 * @returns {Promise<string[]>} the paths of the modules that are in it
 */
export async function buildPlayground(folder) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'python'), { recursive: true })
  const modules = await bundle(folder)
  copyFileSync(join(here, 'playground.css'), join(folder, 'playground.css'))
  const pyodide = join(require.resolve('pyodide'), '..')
  for (const name of PYODIDE) copyFileSync(join(pyodide, name), join(folder, 'python', name))
  copyFileSync(standardLibrary(pyodide), join(folder, 'python', 'python_stdlib.zip'))
  for (const name of WHEELS)
    copyFileSync(join(here, 'packages', name), join(folder, 'python', name))
  writeFileSync(join(folder, 'python', 'packages.json'), JSON.stringify(WHEELS))
  writeFileSync(join(folder, 'python', 'server.json'), JSON.stringify(serverFiles()))
  copyFileSync(
    join(root, 'node_modules/@swc/wasm-typescript-esm/wasm_bg.wasm'),
    join(folder, 'typescript.wasm'),
  )
  return modules
}

/** With byte code, which halves the start; without, if nobody has built it (`npm run build`). */
function standardLibrary(pyodide) {
  const compiled = join(root, 'packages', 'pyodide', 'python_stdlib.zip')
  return existsSync(compiled) ? compiled : join(pyodide, 'python_stdlib.zip')
}

/** python/monoceros as it is, and what makes a worker of it in a page: texts by their paths. */
function serverFiles() {
  const package_ = join(root, 'python', 'monoceros')
  const modules = readdirSync(package_).filter((name) => name.endsWith('.py'))
  const page = readdirSync(join(here, 'python')).filter((name) => name.endsWith('.py'))
  return {
    ...texts(package_, modules, 'monoceros/'),
    'monoceros_pyodide/__init__.py': '',
    ...texts(join(here, 'python'), page, 'monoceros_pyodide/'),
  }
}

/** The texts of files by their names, with `prefix` in front of these. */
function texts(folder, names, prefix = '') {
  return Object.fromEntries(
    names.map((name) => [`${prefix}${name}`, readFileSync(join(folder, name), 'utf8')]),
  )
}

async function bundle(folder) {
  const build = await rolldown({
    cwd: root,
    input: {
      playground: join(here, 'index.ts'),
      'python-worker': join(here, 'python-worker.ts'),
      'typescript-worker': join(here, 'typescript-worker.ts'),
    },
    platform: 'browser',
    moduleTypes: { '.css': 'text' },
    // The package says that its modules have no side effects; ours define the global Buffer.
    treeshake: { moduleSideEffects: (id) => id.startsWith(here) },
    plugins: [tutorial(), nodeModules()],
    onLog: (_level, log) => {
      throw new Error(log.message)
    },
  })
  const { output } = await build.write({
    dir: folder,
    format: 'esm',
    // The modules of the server expect a global Buffer, which one of ours makes.
    strictExecutionOrder: true,
    entryFileNames: '[name].js',
    chunkFileNames: 'parts/[name].js',
    // With the names: an error of the reader's program may be thrown in ours, and name a variable.
    minify: { compress: true, mangle: false, codegen: true },
    comments: { legal: true },
  })
  await build.close()
  return output.flatMap((chunk) => ('moduleIds' in chunk ? chunk.moduleIds : []))
}

/** `virtual:tutorial`: the programs of the tutorial by their names, and its tasks. */
function tutorial() {
  const name = 'virtual:tutorial'
  return {
    name,
    resolveId: (id) => (id === name ? `\0${name}` : null),
    load: (id) => {
      if (id !== `\0${name}`) return null
      const folder = join(root, 'examples', 'tutorial')
      const files = readdirSync(folder).filter((file) => /\.(py|ts)$/.test(file))
      const page = readFileSync(join(root, 'docs', 'guides', 'tutorial.md'), 'utf8')
      return (
        `export const tutorialFiles = ${JSON.stringify(texts(folder, files))}\n` +
        `export const tutorialTasks = ${JSON.stringify(tutorialTasks(page))}\n`
      )
    },
  }
}

/** What the bundled parts of the server import of Node.js, as far as a page can have it. */
function nodeModules() {
  return {
    name: 'node-modules-of-a-page',
    resolveId: (id) =>
      id.startsWith('node:')
        ? join(here, 'engine', 'node', `${id.slice('node:'.length)}.ts`)
        : null,
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { to: { type: 'string' } } })
  if (values.to === undefined) throw new Error('build.mjs --to DIR')
  await buildPlayground(resolve(values.to))
}

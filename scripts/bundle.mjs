/**
 * Bundles the compiled server and the npm packages that it needs into a few files, for the packages
 * that are published.
 *
 * Node.js takes most of a millisecond for each module that it loads, whatever its size, and the
 * server has hundreds. So modules that the same programs load are put into the same file. What is
 * loaded only when it is needed stays apart. Bundlers of those who import a part of the package
 * still leave out the rest.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { minifySync } from 'rolldown/utils'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const NODE_MODULES = `${sep}node_modules${sep}`

/** It finds the package by its own place in it, so it stays a file of its own. */
const OWN_FILES = 'own-files/own-files'

/** A module that is worth no file of its own, in bytes as compiled. */
const SMALL = 6144

/** The programs of the server: what a process or a thread starts with. */
const PROGRAMS = ['cli/main', 'acceptor/process', 'acceptor/stack-thread']

/** Those of the embedded Python. */
const EMBEDDED = [
  'packages/install-entry',
  'runtimes/pyodide/command/command-entry',
  'runtimes/pyodide/image/snapshot-entry',
  'runtimes/pyodide/worker/worker-entry',
]

/**
 * What starts with which modules, by the name that their files get. A name may have several: then
 * the modules of all of them are loaded together.
 */
const LOADED_TOGETHER = {
  // Somebody's bundle often has these and nothing else.
  adapters: ['adapters/to-node-handler', 'adapters/to-fetch-handler'],
  // It must not have a module of Node.js in its files.
  fetch: ['fetch'],
  index: ['index'],
  testing: ['testing'],
  // What main loads at once.
  cli: ['cli/program'],
  arbiter: ['arbiter/arbiter'],
  acceptor: ['acceptor/process'],
  // Of a config file, and of an application in TypeScript.
  typescript: ['runtimes/node/import-file'],
  // Of settings that bring packages along.
  cache: ['edge/cache/cache'],
  redis: ['rate-limit/redis-buckets'],
  // Of makeServer.
  server: ['reference-server/engine'],
  // Of static files.
  files: ['middleware/static-files/file-answer'],
  // Of a pythonApp, and of an acceptor.
  workers: ['runtimes/choose-python', 'runtimes/workers/pool'],
}

/**
 * What none of these loads at its start. Small modules that are loaded for the same reason are in
 * one file, because each file takes whole blocks of a disk.
 */
const ON_DEMAND = [
  // It says what to install if the package is missing; the rest is in that package.
  ['embedded-package', /\/dist\/runtimes\/pyodide\/package\.js$/],
  ['embedded', /\/dist\/(runtimes\/pyodide|packages)\/(?!.*(-entry|cache-folder)\.js$)/],
  // They import what throws if the embedded Python is not installed.
  ['embedded', /\/dist\/(config\/embedded-config|runtimes\/embedded-python)\.js$/],
  ['config-host', /\/dist\/config\//],
  ['dashboard', /\/dist\/(arbiter\/dashboard|dashboard)\//],
  ['certificates', /\/dist\/certificates\//],
  ['control', /\/dist\/arbiter\/control\//],
  // Small ones of the arbiter.
  ['beside', /\/dist\/arbiter\/(check-application|open-tls|rate-limit-counts)\.js$/],
  ['rules', /\/dist\/edge\/(allowed-hosts|health|hsts|https-redirect|security-headers|traces)\//],
  ['rules', /\/dist\/edge\/adding-exchange\.js$/],
  // What an acceptor is asked for.
  ['asked', /\/dist\/(acceptor\/heap-snapshot|runtimes\/node\/loaded-files)\.js$/],
  // Small ones that import nothing; several of the files above share them.
  ['small', /\/dist\/(profile\/requests|settings\/unreadable-file|metrics\/counted)\.js$/],
  ['small', /\/dist\/(arbiter\/operations\/shared-work|edge\/tracing\/trace-context)\.js$/],
  ['small', /\/dist\/(runtimes\/pyodide\/image\/cache-folder|traces\/request-spans)\.js$/],
  ['small', /\/dist\/traces\/trace-settings-error\.js$/],
]

/**
 * Bundles the programs of the server, without the API and the embedded Python.
 *
 * @param {string} target a folder, such as `…/dist`
 * @param {readonly string[]} external packages that are imported if they are there
 * @returns {Promise<readonly string[]>} the folders of the packages that are in it
 */
export async function bundleServer(target, external) {
  return await bundle(target, external, PROGRAMS)
}

/**
 * Bundles the server, the embedded Python and the API.
 *
 * @param {string} target a folder, such as `…/dist`
 * @param {readonly string[]} external packages that are imported if they are there
 * @param {readonly string[]} api the modules that users import, such as `index`
 * @returns {Promise<readonly string[]>} the folders of the packages that are in it
 */
export async function bundleAll(target, external, api) {
  return await bundle(target, external, [...api, ...PROGRAMS, ...EMBEDDED])
}

async function bundle(target, external, entries) {
  const build = await rolldown({
    input: Object.fromEntries(entries.map((name) => [name, compiled(name)])),
    platform: 'node',
    external: [/^node:/, ...external],
    plugins: [lessOfPackages()],
    // Entries may get further exports, for other files of the bundle.
    preserveEntrySignatures: 'allow-extension',
    onLog: (_level, log) => {
      throw new Error(log.message)
    },
  })
  try {
    const { output } = await build.write({
      dir: target,
      format: 'esm',
      entryFileNames: '[name].js',
      // Without a digest: a server that runs while the package is replaced finds them by the same
      // names, as it finds its other files.
      chunkFileNames: ({ name }) => (name === OWN_FILES ? '[name].js' : 'parts/[name].js'),
      comments: { legal: false, annotation: true, jsdoc: false },
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [{ debugName: 'loaded together', name: fileNames() }],
      },
    })
    const files = output.filter(({ type }) => type === 'chunk')
    refuseImportsOfPrograms(files)
    refuseImportsOfEmbedded(files)
    refuseCircles(files)
    for (const file of removePassingOn(target, files)) shrink(target, file)
    const modules = files.flatMap(({ moduleIds }) => moduleIds)
    return [...new Set(modules.map(packageFolder).filter((folder) => folder !== null))].sort()
  } finally {
    await build.close()
  }
}

/** The folders of the packages that are in the page of the dashboard. */
export const dashboardPackages = [join(root, 'node_modules', 'uplot')]

/**
 * Copies the page of the dashboard, as `npm run build` has made it.
 *
 * @param {string} target a folder, such as `…/dist`
 */
export function copyDashboard(target) {
  const from = join(root, 'dist', 'dashboard')
  mkdirSync(join(target, 'dashboard'), { recursive: true })
  for (const name of readdirSync(from))
    if (name.endsWith('.gz')) copyFileSync(join(from, name), join(target, 'dashboard', name))
}

/**
 * Copies the texts of errors and warnings, as `npm run build` has made them.
 *
 * @param {string} target a folder, such as `…/dist`
 */
export function copyMessages(target) {
  mkdirSync(join(target, 'messages'), { recursive: true })
  const file = join('messages', 'table.json.br')
  copyFileSync(join(root, 'dist', file), join(target, file))
}

/**
 * Bundles a package that the server requires if it is installed, so that it is found as one.
 *
 * @param {string} name of the package
 * @param {string} folder where `node_modules` is to be
 * @returns {Promise<readonly string[]>} the folders of the packages that are in it
 */
export async function bundlePackage(name, folder) {
  const target = join(folder, 'node_modules', name)
  const { resolve } = createRequire(import.meta.url)
  const build = await rolldown({ input: resolve(name), platform: 'node', external: [/^node:/] })
  const { output } = await build.write({
    file: join(target, 'index.js'),
    format: 'cjs',
    exports: 'named',
    codeSplitting: false,
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  })
  await build.close()
  const { version, license } = JSON.parse(
    readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'),
  )
  writeFileSync(join(target, 'package.json'), JSON.stringify({ name, version, license }))
  const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
  return [...new Set(modules.map(packageFolder).filter((path) => path !== null))].sort()
}

/**
 * Leaves out what is not used of packages: media types without extensions, rate limiters for other
 * databases than Redis, and what PKCS #7 and #9 need, which certificates for development do not.
 */
function lessOfPackages() {
  const limiters = 'rate-limiter-flexible'
  const unused = ['@peculiar/asn1-cms', '@peculiar/asn1-pkcs9']
  const { resolve } = createRequire(import.meta.url)
  const limiter = (name) =>
    `export { default as ${name} } from ${JSON.stringify(resolve(`${limiters}/lib/${name}.js`))}`
  const instead = new Map([
    [`\0${limiters}`, ['RateLimiterRedis', 'RateLimiterRes'].map(limiter).join('\n')],
    ...unused.map((name) => [`\0${name}`, 'export {}']),
  ])
  return {
    name: 'less-of-packages',
    resolveId: (name) => (instead.has(`\0${name}`) ? `\0${name}` : null),
    load: (id) => instead.get(id) ?? null,
    transform(code, id) {
      if (!id.endsWith(join('mime-db', 'db.json'))) return null
      const types = Object.entries(JSON.parse(code)).filter(([, { extensions }]) => extensions)
      for (const [, type] of types) delete type.compressible
      return { code: JSON.stringify(Object.fromEntries(types)), moduleType: 'json' }
    },
  }
}

/**
 * Throws if files import each other: which of them runs first then depends on which is imported
 * first, and one may use what another has not made yet.
 */
function refuseCircles(files) {
  const imports = new Map(files.map((file) => [file.fileName, file.imports]))
  const done = new Set()
  const visit = (name, path) => {
    if (path.includes(name))
      throw new Error(`files import each other: ${[...path, name].join(' -> ')}`)
    if (done.has(name)) return
    for (const next of imports.get(name) ?? []) visit(next, [...path, name])
    done.add(name)
  }
  for (const name of imports.keys()) visit(name, [])
}

/**
 * Removes files that only pass on what another file has under other names, each of which takes a
 * block of the disk. Who imports one gets it from that other file.
 */
function removePassingOn(folder, files) {
  const passing = new Map()
  for (const { fileName, code, isEntry } of files) {
    const [, names, from] = /^export \{ ([^}]*) \} from "(\.\/[^"]*)";\s*$/.exec(code) ?? []
    if (isEntry || names === undefined) continue
    const fields = names.split(', ').map((name) => {
      const [own, given = own] = name.split(' as ')
      return `${given}: file.${own}`
    })
    passing.set(fileName, { from: posix.join(posix.dirname(fileName), from), fields })
  }
  const kept = files.filter(({ fileName }) => !passing.has(fileName))
  for (const name of passing.keys()) rmSync(join(folder, name))
  return kept.map(({ fileName, moduleIds, code }) => {
    const own = posix.dirname(fileName)
    const direct = code.replace(/\bimport\("(\.[^"]*)"\)/g, (whole, target) => {
      const passed = passing.get(posix.join(own, target))
      if (passed === undefined) return whole
      const path = posix.relative(own, passed.from)
      const place = path.startsWith('.') ? path : `./${path}`
      return `import("${place}").then((file) => ({ ${passed.fields.join(', ')} }))`
    })
    writeFileSync(join(folder, fileName), direct)
    return { fileName, moduleIds, code: direct }
  })
}

function compiled(name) {
  return join(root, 'dist', `${name}.js`)
}

/** Throws if a file imports one that has a program, which would run then. */
function refuseImportsOfPrograms(files) {
  const programs = new Set(PROGRAMS.map(compiled))
  const running = files.filter(({ moduleIds }) => moduleIds.some((id) => programs.has(id)))
  for (const { fileName, imports, dynamicImports } of files) {
    const found = running.find((file) => [...imports, ...dynamicImports].includes(file.fileName))
    if (found !== undefined) throw new Error(`${fileName} imports a program: ${found.fileName}`)
  }
}

/** Throws if a file imports that of the embedded Python for something else. */
function refuseImportsOfEmbedded(files) {
  const own = new Set([...EMBEDDED, 'cli/python-command'].map(compiled))
  // Files without modules only pass on what it has.
  for (const { fileName, imports, moduleIds } of files)
    if (
      moduleIds.length > 0 &&
      imports.includes('parts/embedded.js') &&
      !moduleIds.some((id) => own.has(id))
    )
      throw new Error(`${fileName} imports the embedded Python, which may not be installed`)
}

/**
 * Makes a file small. If it has the code of packages only, it has no spaces any more. Ours keeps
 * its lines, because they are in stacks, but no spaces in them.
 */
function shrink(folder, { fileName, moduleIds, code }) {
  if (moduleIds.length === 0) return
  const path = join(folder, fileName)
  if (!moduleIds.every(isOfPackage)) {
    writeFileSync(path, withoutSpaces(fileName, code))
    return
  }
  const codegen = { removeWhitespace: true }
  const { code: small, errors } = minifySync(fileName, code, { module: true, codegen })
  if (errors.length > 0) throw new Error(errors[0].message)
  // What is only known at run time is no business of the bundlers of others, which would warn.
  const ignored = 'import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ '
  writeFileSync(path, small.replace(/\bimport\((?=[\w$]+\))/g, ignored))
}

/** Removes the spaces between the words of each line, except where they are needed. */
function withoutSpaces(fileName, code) {
  const source = ts.createSourceFile(fileName, code, ts.ScriptTarget.Latest, true)
  const parts = []
  let end = 0
  const visit = (node) => {
    const children = node.getChildren(source)
    for (const child of children) visit(child)
    const start = node.getStart(source)
    if (children.length > 0 || start === node.getEnd()) return
    parts.push(between(code, end, start), code.slice(start, node.getEnd()))
    end = node.getEnd()
  }
  visit(source)
  return `${parts.join('')}\n`
}

/** What has to stay of the spaces before a word: the ends of lines, and comments. */
function between(code, end, start) {
  const gap = code.slice(end, start)
  if (gap.includes('/')) return gap
  if (gap.includes('\n')) return gap.replace(/[\t ]/g, '')
  const words = /[\w$+\-/\u0080-\uffff][\w$+\-/#\\.\u0080-\uffff]/
  return words.test(code.slice(end - 1, start + 1).replace(gap, '')) ? gap : ''
}

/**
 * Names the file of each module after what is loaded with it: `cli_arbiter`. Such files cannot need
 * each other in a circle, because what a module needs is loaded by at least the same programs.
 *
 * @returns a function for rolldown's `codeSplitting.groups`
 */
function fileNames() {
  let names
  return (id, graph) => {
    names ??= namesByUse((path) => [...(graph.getModuleInfo(path)?.importedIds ?? [])])
    return names.get(id) ?? ON_DEMAND.find(([, modules]) => modules.test(id))?.[0] ?? null
  }
}

function namesByUse(importsOf) {
  const uses = new Map()
  for (const [label, modules] of Object.entries(LOADED_TOGETHER)) {
    const found = modules.map(compiled)
    const seen = new Set(found)
    for (const id of found) {
      if (!uses.has(id)) uses.set(id, [])
      uses.get(id).push(label)
      for (const next of importsOf(id)) {
        if (seen.has(next) || next.startsWith('node:')) continue
        seen.add(next)
        found.push(next)
      }
    }
  }
  // A program runs when it is loaded, so what others load cannot be in the same file.
  for (const name of PROGRAMS) uses.delete(compiled(name))
  // It only passes on what others have.
  uses.delete(compiled('fetch'))
  uses.set(compiled(OWN_FILES), [OWN_FILES])
  // Packages have files of their own, which are made small.
  const kind = (id) => (isOfPackage(id) ? '-packages' : '')
  const name = (labels) => labels.filter((label) => !isLoadedBefore(label, labels)).join('_')
  const isLeaf = (id, labels) =>
    labels.length > 2 &&
    !isOfPackage(id) &&
    id !== compiled(OWN_FILES) &&
    importsOf(id).length === 0 &&
    statSync(id).size < SMALL
  return new Map(
    [...uses].map(([id, labels]) => [
      id,
      isLeaf(id, labels) ? leavesOf(labels) : name(labels) + kind(id),
    ]),
  )
}

/**
 * Small modules that import nothing, not even of Node.js, and that many programs load: together
 * they take fewer blocks of a disk, and are loaded faster. Other runtimes load those of `fetch`.
 */
function leavesOf(labels) {
  return labels.includes('fetch') ? 'leaves_fetch' : 'leaves'
}

/** What only acceptors load: they have loaded their own files by then. */
function isLoadedBefore(label, labels) {
  return (label === 'cache' || label === 'redis') && labels.includes('acceptor')
}

/** Whether a module is of a package, or stands for one. */
function isOfPackage(id) {
  return id.includes(NODE_MODULES) || id.startsWith('\0')
}

/** The folder of the package that a module belongs to; null for our own modules. */
function packageFolder(path) {
  const at = path.lastIndexOf(NODE_MODULES)
  if (at === -1) return null
  const [first, second] = path.slice(at + NODE_MODULES.length).split(sep)
  return (
    path.slice(0, at + NODE_MODULES.length) + (first.startsWith('@') ? join(first, second) : first)
  )
}

/**
 * The licences of packages as one text. `scripts/licences` has those that packages leave out.
 *
 * @param {readonly string[]} folders
 * @returns {{ text: string, licences: readonly string[] }} the text, and the SPDX expressions in it
 * @throws {Error} if a package has no licence, or its text is nowhere
 */
export function licencesOf(folders) {
  const licences = new Set()
  const known = new Map()
  const parts = folders.map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    )
    if (typeof license !== 'string') throw new Error(`${name} does not say its licence`)
    licences.add(license)
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    const paths =
      files.length > 0 ? files.map((file) => join(folder, file)) : [licenceLeftOut(name)]
    const texts = paths.map((path) => readFileSync(path, 'utf8').trim())
    return `${name} ${version} (${license})\n\n${onlyOnce(texts.join('\n\n'), name, known)}`
  })
  return { text: `${parts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`, licences: [...licences].sort() }
}

function licenceLeftOut(name) {
  const path = join(root, 'scripts', 'licences', `${name.replace('/', '+')}.txt`)
  if (!existsSync(path)) throw new Error(`${name} has no text of its licence: write ${path}`)
  return path
}

const COPYRIGHT = /^\s*copyright/i

/**
 * Leaves out what an earlier licence says word for word, except whose copyright it is.
 *
 * @param {string} text of a licence
 * @param {string} name of the package
 * @param {Map<string, string>} known the packages that had a text first, by that text
 */
function onlyOnce(text, name, known) {
  const lines = text.split('\n')
  const owners = lines.filter((line) => COPYRIGHT.test(line)).map((line) => line.trim())
  const words = lines
    .filter((line) => !COPYRIGHT.test(line))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim()
  const first = known.get(words)
  if (first === undefined) known.set(words, name)
  if (first === undefined || owners.length === 0) return text
  return [...owners, '', `The rest of its licence is that of ${first}, above.`].join('\n')
}

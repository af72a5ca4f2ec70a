/**
 * Builds packages/pyodide/python_stdlib.zip: Pyodide's standard library with byte code beside every
 * source. Pyodide's own archive has sources only, and compiling what a start imports of them takes
 * two thirds of the start.
 *
 *     node scripts/build-stdlib.mjs            builds it when it is missing or of another Pyodide
 *     node scripts/build-stdlib.mjs --force    builds it in any case
 *
 * The embedded interpreter compiles, so this needs no Python. The same Pyodide gives the same
 * bytes: entries are sorted and dated alike, and the interpreter's hash seed is fixed, because the
 * order of a frozenset in byte code follows it.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Raise it when what this script makes of the same Pyodide changes.
const FORMAT = 1

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const target = join(root, 'packages', 'pyodide', 'python_stdlib.zip')
// Kept for other clones of this tree that share its packages: it takes a processor ten seconds.
const kept = join(root, 'node_modules', '.cache', 'monoceros', 'python_stdlib.zip')
const require = createRequire(import.meta.url)
const source = readFileSync(require.resolve('pyodide/python_stdlib.zip'))
const stamp =
  `monoceros stdlib ${FORMAT}, pyodide ${require('pyodide/package.json').version}, ` +
  `${createHash('sha256').update(source).digest('hex')}`

if (process.argv.includes('--force') || stampOf(target) !== stamp) {
  if (process.argv.includes('--force') || stampOf(kept) !== stamp) put(await build(), kept)
  put(readFileSync(kept), target)
}

/** Whole or not there: another process may be reading it, or building it too. */
function put(archive, path) {
  mkdirSync(dirname(path), { recursive: true })
  const unfinished = `${path}.${process.pid}`
  try {
    writeFileSync(unfinished, archive)
    renameSync(unfinished, path)
  } finally {
    rmSync(unfinished, { force: true })
  }
}

/** The comment at an archive's end, which says what it was made from; null when there is none. */
function stampOf(file) {
  let descriptor
  try {
    descriptor = openSync(file, 'r')
    const length = Buffer.byteLength(stamp)
    const tail = Buffer.alloc(length)
    const { size } = fstatSync(descriptor)
    const read = readSync(descriptor, tail, 0, length, Math.max(0, size - length))
    return tail.toString('utf8', 0, read)
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

async function build() {
  const { loadPyodide } = await import('pyodide')
  const pyodide = await loadPyodide({ env: { HOME: '/', PYTHONHASHSEED: '0' } })
  pyodide.globals.set('STAMP', stamp)
  const compiled = pyodide.runPython(`
import glob, io, zipfile
from importlib._bootstrap_external import _code_to_hash_pyc

[path] = glob.glob('/lib/python3*.zip')
source = zipfile.ZipFile(path)
result = io.BytesIO()


def put(archive, name, contents):
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, contents)


with zipfile.ZipFile(result, 'w', compresslevel=9) as archive:
    archive.comment = STAMP.encode()
    for name in sorted(source.namelist()):
        if name.endswith('/'):
            continue
        contents = source.read(name)
        put(archive, name, contents)
        if name.endswith('.py'):
            code = compile(contents, f'{path}/{name}', 'exec', dont_inherit=True)
            # By the source's hash, and unchecked: nobody edits a source in the archive.
            put(archive, name + 'c', bytes(_code_to_hash_pyc(code, bytes(8), False)))

result.getvalue()
`)
  try {
    return compiled.toJs()
  } finally {
    compiled.destroy()
  }
}

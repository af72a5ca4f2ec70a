// The thread of an embedded interpreter that runs what a test sends it. See pyodide-thread.ts.
import { existsSync, renameSync, symlinkSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import { loadPyodide } from 'pyodide'

// Another process may do anything between two calls of the system; here it does so at the worst of
// times.
const nodeFiles = createRequire(import.meta.url)('node:fs')
const { openSync } = nodeFiles
let beforeOpening = null
nodeFiles.openSync = (...args) => {
  const act = beforeOpening
  beforeOpening = null
  act?.()
  return openSync(...args)
}
syncBuiltinESMExports()

const dist = new URL('../../dist/', import.meta.url)
const { HostFiles } = await import(new URL('runtimes/pyodide/files/host-files.js', dist).href)
const { FileLocks } = await import(new URL('runtimes/pyodide/locks/file-locks.js', dist).href)
const { withoutSharedLog } = await import(
  new URL('runtimes/pyodide/system/sqlite-log.js', dist).href
)
const { sleepInsteadOfSpinning } = await import(
  new URL('runtimes/pyodide/system/sleep.js', dist).href
)

const { mounts, table, owner, cwd, environment } = workerData
const notices = []
const files = new HostFiles(mounts, new FileLocks(table, owner), (text) => notices.push(text))
const { instantiate } = WebAssembly
WebAssembly.instantiate = (source, imports) => {
  // The interpreter itself; the libraries beside it are small.
  if (source.byteLength > 4 * 1024 * 1024) {
    files.wrapImports(imports)
    sleepInsteadOfSpinning(imports)
  }
  return instantiate(source, imports)
}
// With byte code in it, if it was built: half of the time.
const stdlib = fileURLToPath(new URL('../packages/pyodide/python_stdlib.zip', dist))
const pyodide = await loadPyodide({
  indexURL: `${dirname(createRequire(import.meta.url).resolve('pyodide/package.json'))}/`,
  ...(existsSync(stdlib) ? { stdLibURL: stdlib } : {}),
  env: environment,
})
withoutSharedLog(pyodide)
files.mount(pyodide)
pyodide.FS.chdir(cwd)
pyodide.registerJsModule('host', {
  adopt: (descriptor) => files.adopt(descriptor),
  isHostPath: (path) => files.isHostPath(path),
  isHostDescriptor: (descriptor) => files.isHostDescriptor(descriptor),
  /**
   * Before the next file or folder is opened on the disk, puts a link in the place of a folder,
   * which is moved aside.
   */
  swapBeforeOpening: (folder, target) => {
    beforeOpening = () => {
      renameSync(folder, `${folder}-aside`)
      symlinkSync(target, folder)
    }
  },
  say: (text) => parentPort.postMessage({ said: text }),
})
parentPort.on('message', ({ number, code }) => {
  try {
    parentPort.postMessage({ number, value: pyodide.runPython(code), notices: notices.splice(0) })
  } catch (error) {
    parentPort.postMessage({ number, failure: String(error.message) })
  }
})
parentPort.postMessage({ ready: true })

import * as fs from 'node:fs'
import type { PyodideAPI } from 'pyodide'
import type { FileLocks } from '../locks/file-locks.ts'
import { type Emscripten, isErrnoError, isHostNode } from './emscripten.ts'
import { HostFileSystem } from './host-file-system.ts'
import type { Mount } from './mounts.ts'

/**
 * The disk as the embedded interpreter sees it: a file system type for Emscripten's virtual file
 * system, on top of node:fs.
 *
 * Emscripten has such a type itself, NODEFS, which is not used because:
 *
 * - It remembers files by name, so files that other processes create, replace or delete are seen
 *   wrongly.
 * - It has no read-only folders.
 * - It makes a new file in two steps, so O_EXCL and O_APPEND are not atomic. `rename` deletes the
 *   target first.
 * - Inode numbers are invented, times are cut to milliseconds, the umask is ignored, and fdatasync
 *   does nothing.
 *
 * Here, nothing is remembered between two system calls.
 *
 * Symbolic links are followed in the interpreter's name space: a link out of all mounts leads
 * nowhere (ENOENT), and a link from one mount to another works. Between the lookup of a path and
 * its use, a folder could be replaced with a link. On Linux, every file that is opened, and every
 * folder in which something is changed, is opened first and its real path checked (/proc/self/fd),
 * so that such a race reveals only the attributes of a file (stat). On other systems the race can
 * be won. This is not a sandbox in any case: Python code that can reach JavaScript's globals
 * (`import js`) can reach node:fs.
 *
 * Differences from the disk itself:
 *
 * - `os.umask` has no effect; the process's umask applies.
 * - Hard links cannot be made.
 * - A shared writable mapping (mmap) is written when it is flushed or closed. Others do not see it
 *   before.
 * - FIFOs, sockets and devices are listed, but cannot be opened.
 * - Times are set with a resolution of one microsecond.
 */
export class HostFiles {
  readonly #mounts: readonly Mount[]
  readonly #locks: FileLocks | null
  readonly #notice: (text: string) => void
  #emscripten: Emscripten | null = null
  #system: HostFileSystem | null = null

  /**
   * @param mounts outer mounts before inner ones, as `planMounts` returns them
   * @param locks shared with all interpreters that write the same files. Without it every lock
   * succeeds, as in Pyodide itself
   * @param notice called with one line, at most once for each text, if something cannot be done
   * and the error that the application gets does not explain why
   */
  constructor(
    mounts: readonly Mount[],
    locks: FileLocks | null,
    notice: (text: string) => void = () => {},
  ) {
    this.#mounts = mounts
    this.#locks = locks
    this.#notice = notice
  }

  /**
   * Replaces system calls for which Emscripten does nothing. Call it before the module is
   * instantiated.
   */
  wrapImports(imports: WebAssembly.Imports): void {
    // Emscripten passes the same object to the main module and later to compiled extensions.
    const calls = imports.env as Record<string, Syscall>
    const replace = (
      name: string,
      call: (system: HostFileSystem, args: number[]) => number | undefined,
    ) => {
      const original = calls[name]
      if (original === undefined) throw new Error(`This version of Pyodide has no ${name}`)
      const wrapped = (...args: number[]) => {
        if (this.#system !== null) {
          try {
            const answer = call(this.#system, args)
            if (answer !== undefined) return answer
          } catch (error) {
            if (isErrnoError(error)) return -error.errno
            throw error
          }
        }
        return original(...args)
      }
      calls[name] = Object.assign(wrapped, original)
    }
    replace('__syscall_fcntl64', (system, [fd, command, args]) =>
      system.fcntl(fd as number, command as number, args as number),
    )
    replace('__syscall_fdatasync', (system, [fd]) => system.fdatasync(fd as number))
    replace('__syscall_getdents64', (system, [fd, at, size]) =>
      system.folders.getdents(fd as number, (at as number) >>> 0, (size as number) >>> 0),
    )
    replace('__syscall_faccessat', (system, [fd, path, mode, flags]) =>
      system.access(fd as number, (path as number) >>> 0, mode as number, flags as number),
    )
  }

  /** Makes the mounts. Call it once, after `loadPyodide`. */
  mount(pyodide: PyodideAPI): void {
    this.#emscripten = (pyodide as unknown as { _module: Emscripten })._module
    const system = new HostFileSystem(this.#emscripten, this.#locks, this.#notice)
    system.mount(this.#mounts)
    this.#system = system
    if (this.#locks === null) return
    const replace = pyodide.runPython(REPLACE_FLOCK, { globals: pyodide.toPy({}) })
    replace((fd: number, operation: number) => system.locks.flock(fd, operation))
    replace.destroy()
  }

  /**
   * Whether a path of the interpreter leads to something on the disk. It is false for the
   * interpreter's memory and for a path that leads nowhere.
   */
  isHostPath(path: string): boolean {
    try {
      const node = this.#emscripten?.FS.lookupPath(path, { follow: true }).node
      return node !== undefined && isHostNode(node)
    } catch (error) {
      if (isErrnoError(error)) return false
      throw error
    }
  }

  /** Whether an open file descriptor of the interpreter is of something on the disk. */
  isHostDescriptor(fd: number): boolean {
    return this.#emscripten?.FS.getStream(fd)?.nfd !== undefined
  }

  /**
   * Gives the interpreter a file that this process has open, wherever the file is: for example a
   * request's body.
   *
   * @param descriptor of the process. The caller still owns it, and closes it after the interpreter
   * has closed its own
   * @param flags how the file is open (O_RDONLY, O_RDWR …)
   * @returns the interpreter's file descriptor, positioned at the beginning of the file
   */
  adopt(descriptor: number, flags: number = fs.constants.O_RDONLY): number {
    if (this.#system === null) throw new Error('The interpreter has not been started yet')
    return this.#system.streams.adopt(descriptor, flags)
  }
}

/** In the C library that Pyodide is built with, `flock` does nothing and reports success. */
const REPLACE_FLOCK = `
def replace(call):
    import errno, fcntl, os, sys

    def flock(fd, operation, /):
        """Perform the lock operation on a file descriptor.

        Instead of the descriptor, fd may be an object with a fileno() method."""
        if not isinstance(fd, int):
            fd = fd.fileno()
        sys.audit("fcntl.flock", fd, operation)
        while (code := call(fd, operation)) == errno.EINTR:
            pass
        if code:
            raise OSError(code, os.strerror(code))

    fcntl.flock = flock

replace
`

type Syscall = (...args: number[]) => number

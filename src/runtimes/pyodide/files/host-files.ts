import * as fs from 'node:fs'
import type { PyodideAPI } from 'pyodide'
import { claimedName, claimLink, isClaimLink } from '../locks/claim-links.ts'
import type { FileIdentity } from '../locks/file-claims.ts'
import { END_OF_FILE, type FileLocks, flockIdentity, type LockKind } from '../locks/file-locks.ts'
import { HEADER_BYTES, isLogged } from '../system/sqlite-log.ts'
import { isWithin, type Mount } from './mounts.ts'

/**
 * What the embedded interpreter sees of the disk: a file system type for Emscripten's virtual file
 * system, over node:fs.
 *
 * Why not Emscripten's own (NODEFS): it remembers what it has seen by name, so what other processes
 * create, replace or delete is seen wrongly; it knows no read-only folders; a new file is made in
 * two steps, so O_EXCL and appending are not atomic; `rename` deletes the target first; inode
 * numbers are made up, times are cut to milliseconds, files are made without regard to the umask
 * and fdatasync does nothing. Here nothing is remembered between two calls of the system.
 *
 * Symbolic links are followed inside the interpreter's name space: what leads out of all mounts
 * leads to nothing (ENOENT), what leads from one mount to another works. Between looking at a path
 * and using it a folder could be replaced by a link. On Linux every file and every folder that
 * something is changed in is opened first and asked for its real path (/proc/self/fd), so that such
 * a race wins nothing but the attributes of a file (stat). Elsewhere it can be won. It is no
 * sandbox by itself in any case: Python code that can reach JavaScript's globals (`import js`)
 * reaches node:fs.
 *
 * What is not as on the disk itself: `os.umask` has no effect (the process's umask has), hard links
 * cannot be made, a shared writable mapping (mmap) is written when it is flushed or closed and not
 * seen by others before, FIFOs, sockets and devices are seen but cannot be opened, times are set to
 * a microsecond.
 */
export class HostFiles {
  readonly #mounts: readonly Mount[]
  readonly #locks: FileLocks | null
  readonly #notice: (text: string) => void
  #emscripten: Emscripten | null = null
  #type: HostFileSystem | null = null

  /**
   * @param mounts each before those inside of it, as `planMounts` gives them
   * @param locks shared with all that write the same files; without them every lock succeeds, as in
   * Pyodide itself
   * @param notice told, in one line and at most once each, what an application asked for that
   * cannot be had, where its own error will not say so
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
   * Puts itself in the place of the system calls that Emscripten does nothing for. Before the
   * module is instantiated.
   */
  wrapImports(imports: WebAssembly.Imports): void {
    // Emscripten gives the same object for both, and later to compiled extension modules.
    const calls = imports.env as Record<string, Syscall>
    const replace = (
      name: string,
      call: (files: HostFileSystem, args: number[]) => number | undefined,
    ) => {
      const original = calls[name]
      if (original === undefined) throw new Error(`This version of Pyodide has no ${name}`)
      const wrapped = (...args: number[]) => {
        if (this.#type !== null) {
          try {
            const answer = call(this.#type, args)
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
    replace('__syscall_fcntl64', (files, [fd, command, args]) =>
      files.fcntl(fd as number, command as number, args as number),
    )
    replace('__syscall_fdatasync', (files, [fd]) => files.fdatasync(fd as number))
    replace('__syscall_getdents64', (files, [fd, at, size]) =>
      files.getdents(fd as number, (at as number) >>> 0, (size as number) >>> 0),
    )
    replace('__syscall_faccessat', (files, [fd, path, mode, flags]) =>
      files.access(fd as number, (path as number) >>> 0, mode as number, flags as number),
    )
  }

  /** Makes the mounts. After `loadPyodide`, and once. */
  mount(pyodide: PyodideAPI): void {
    this.#emscripten = (pyodide as unknown as { _module: Emscripten })._module
    const type = new HostFileSystem(this.#emscripten, this.#mounts, this.#locks, this.#notice)
    type.mount()
    this.#type = type
    if (this.#locks === null) return
    const replace = pyodide.runPython(REPLACE_FLOCK, { globals: pyodide.toPy({}) })
    replace((fd: number, operation: number) => type.flock(fd, operation))
    replace.destroy()
  }

  /**
   * Whether a path (of the interpreter) leads to something on the disk, and not in the
   * interpreter's memory or nowhere.
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

  /** Whether an open descriptor (of the interpreter) is of something on the disk. */
  isHostDescriptor(fd: number): boolean {
    return this.#emscripten?.FS.getStream(fd)?.nfd !== undefined
  }

  /**
   * Gives the interpreter a file that this process has open, wherever it lies: such as a request's
   * body.
   *
   * @param descriptor the process's; it stays the caller's, who closes it after the interpreter has
   * closed its own
   * @param flags how it is open (O_RDONLY, O_RDWR …)
   * @returns the interpreter's descriptor, positioned at the file's beginning
   */
  adopt(descriptor: number, flags: number = fs.constants.O_RDONLY): number {
    if (this.#type === null) throw new Error('There is no interpreter yet to give a file to')
    return this.#type.adopt(descriptor, flags)
  }
}

/** The C library that Pyodide is built with answers `flock` itself, and always with success. */
const REPLACE_FLOCK = `
def replace(call):
    import errno, fcntl, os, sys

    def flock(fd, operation, /):
        """Perform the lock operation on a file descriptor, or on an object with a fileno() method."""
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

/** The parts of Emscripten's module and of its file system that are used here. */
interface Emscripten {
  readonly FS: EmscriptenFiles
  readonly SYSCALLS: {
    getStr(pointer: number): string
    calculateAt(fd: number, path: string, allowEmpty?: boolean): string
    writeStat(pointer: number, status: object): number
  }
  readonly ERRNO_CODES: Readonly<Record<string, number>>
  /** Fresh views after memory has grown, so never to be kept. */
  readonly HEAP8: Int8Array
  readonly HEAPU8: Uint8Array
  readonly HEAP16: Int16Array
  readonly HEAP32: Int32Array
  readonly HEAPU32: Uint32Array
  readonly HEAP64: BigInt64Array
  mmapAlloc(size: number): number
}

interface EmscriptenFiles {
  readonly ErrnoError: new (errno: number) => ErrnoError
  readonly FSNode: new (
    parent: FileNode | null,
    name: string,
    mode: number,
    device: number,
  ) => FileNode
  mounts: unknown[]
  lookupPath(path: string, options?: LookupOptions): Found
  hashAddNode(node: FileNode): void
  createNode(parent: FileNode, name: string, mode: number, device: number): FileNode
  createStream(stream: Partial<FileStream>): FileStream
  getStream(fd: number): FileStream | null | undefined
  getStreamChecked(fd: number): FileStream
  open(path: string | FileNode, flags: number | string, mode?: number): FileStream
  chown(path: string | FileNode, uid: number, gid: number, dontFollow?: boolean): void
  fchown(fd: number, uid: number, gid: number): void
  mkdirTree(path: string): void
  mount(type: object, options: object, path: string): unknown
  getPath(node: FileNode): string
}

interface LookupOptions {
  /** Whether a link at the end is followed. */
  follow?: boolean
  /** Whether the folder is meant that the last name is in. */
  parent?: boolean
  /** Whether the last name may be missing; there is no node then. */
  noent_okay?: boolean
  /** Whether a mount at the end is entered; if not told otherwise. */
  follow_mount?: boolean
}

interface Found {
  /** All links followed. */
  path: string
  node: FileNode | undefined
}

interface ErrnoError {
  readonly name: 'ErrnoError'
  readonly errno: number
}

interface FileNode {
  parent: FileNode
  name: string
  mode: number
  mounted: { root: FileNode } | null
  contents?: Record<string, FileNode>
  node_ops: object
  stream_ops: object
  mount: object
  /** Ours: where the node lies. Only nodes of the disk have it. */
  host?: HostPlace
  /**
   * Ours: what the lookup that made the node has just seen, for the one call that it was made for.
   */
  seen?: fs.BigIntStats | undefined
}

interface HostPlace {
  /** Inside the interpreter; may have bytes that are no UTF-8, see {@link toHost}. */
  readonly path: string
  /** On the disk, all links followed up to the mount's folder. */
  readonly real: string
  readonly readOnly: boolean
}

interface FileStream {
  fd: number
  node: FileNode
  path: string
  flags: number
  position: number
  seekable: boolean
  stream_ops: object
  ungotten: unknown[]
  error: boolean
  shared: { refcount?: number }
  getdents?: DirectoryEntry[] | null
  /** The process's descriptor, for what is on the disk. */
  nfd?: number
  /** Whether it is somebody else's to close. */
  adopted?: boolean
  identity?: FileIdentity
}

interface DirectoryEntry {
  readonly name: Buffer
  readonly inode: bigint
  readonly type: number
}

interface NewAttributes {
  readonly mode?: number | undefined
  /** Milliseconds; null leaves it as it is. */
  readonly atime?: number | null
  readonly mtime?: number | null
  readonly size?: number
  /** A flag, of any type. */
  /** Emscripten gives a flag of the system call. */
  readonly dontFollow?: unknown
}

// Emscripten's flags of open, those of Linux on most machines, whatever the host's are.
const ACCESS = 0o3
const READ_AND_WRITE = 0o2
const CREATE = 0o100
const EXCLUSIVE = 0o200
const TRUNCATE = 0o1000
const APPEND = 0o2000
const SYNCHRONOUS = 0o4010000
const DIRECTORY = 0o200000
const NO_FOLLOW = 0o400000

const FILE_TYPE = 0o170000
const IS_FOLDER = 0o040000
const IS_FILE = 0o100000
const IS_LINK = 0o120000

// fcntl, with Emscripten's numbers, and its struct flock.
const GET_LOCK = 12
const SET_LOCK = 13
const SET_LOCK_WAITING = 14
const SET_FLAGS = 4
const READ_LOCK = 0
const WRITE_LOCK = 1
const UNLOCK = 2

const AT_SYMLINK_NOFOLLOW = 0x100
const DIRENT_SIZE = 280
/**
 * In bytes: `d_name` is an array of 256 characters. Some file systems (VFAT, APFS, FUSE) have
 * longer ones.
 */
const LONGEST_NAME = 255

/** Linux: a descriptor that only names a file. Not in node's constants. */
const O_PATH = 0o10000000
const DESCRIPTORS = '/proc/self/fd'
/** Whether a descriptor can be asked for its file's path. */
const verifiable = process.platform === 'linux' && fs.existsSync(DESCRIPTORS)

const STAT = { bigint: true } as const
const STAT_OR_NOTHING = { bigint: true, throwIfNoEntry: false } as const

/** What a path has that must be resolved first: empty names, `.` and `..`. */
const UNRESOLVED = /\/\.{0,2}\//

const MODES: Readonly<Record<string, number>> = {
  r: 0,
  'r+': 2,
  w: 577,
  'w+': 578,
  a: 1089,
  'a+': 1090,
}

class HostFileSystem {
  readonly #module: Emscripten
  readonly #fs: EmscriptenFiles
  readonly #mounts: readonly Mount[]
  readonly #locks: FileLocks | null
  readonly #notice: (text: string) => void
  readonly #noticed = new Set<string>()
  /**
   * Who has a file locked with `flock`: not an interpreter, but an opening of the file, which its
   * duplicates share.
   */
  readonly #flocks = new Map<string, Map<FileStream['shared'], LockKind>>()
  /** Where all mounts are on the disk, and which may be changed there. */
  readonly #places: { readonly real: string; readonly readOnly: boolean }[] = []
  /** Where mounted folders are: an opened file may turn out to be in any. Inner ones first. */
  readonly #roots: { readonly root: FileNode; readonly path: string; readonly real: string }[] = []
  /** Nodes that carry a mount inside of another, by path: the only ones that live on. */
  readonly #mountPoints = new Map<string, FileNode>()
  readonly #nodeOperations: object
  readonly #streamOperations: object

  constructor(
    module: Emscripten,
    mounts: readonly Mount[],
    locks: FileLocks | null,
    notice: (text: string) => void,
  ) {
    this.#notice = notice
    this.#module = module
    this.#fs = module.FS
    this.#mounts = mounts
    this.#locks = locks
    this.#nodeOperations = {
      getattr: (node: FileNode) => this.#attributes(node),
      setattr: (node: FileNode, attributes: NewAttributes) => this.#setAttributes(node, attributes),
      lookup: (parent: FileNode, name: string) => this.#lookup(parent, name),
      mknod: (parent: FileNode, name: string, mode: number) => this.#make(parent, name, mode),
      rename: (node: FileNode, folder: FileNode, name: string) => this.#rename(node, folder, name),
      unlink: (parent: FileNode, name: string) => {
        this.#refuseLost(`${place(parent).real}/${name}`)
        this.#change(parent, name, fs.unlinkSync)
      },
      rmdir: (parent: FileNode, name: string) =>
        this.#change(parent, name, (path) => this.#removeFolder(path)),
      readdir: (node: FileNode) => [
        '.',
        '..',
        ...this.#names(toHost(place(node).real)).map(fromHost),
      ],
      symlink: (parent: FileNode, name: string, target: string) => {
        this.#change(parent, name, (path) => fs.symlinkSync(toHost(target), path))
        return this.#lookup(parent, name)
      },
      readlink: (node: FileNode) =>
        this.#host(() => fromHost(fs.readlinkSync(toHost(place(node).real), 'buffer'))),
      // Of a mount, whose folder is among its options; a file that is mounted by itself has none.
      statfs: (root: string | undefined) => {
        if (root === undefined) return {}
        const status = this.#host(() => fs.statfsSync(root))
        return { ...status, frsize: status.bsize }
      },
    }
    this.#streamOperations = {
      getattr: (stream: FileStream) =>
        new Attributes(this.#host(() => fs.fstatSync(stream.nfd as number, STAT))),
      setattr: (stream: FileStream, attributes: NewAttributes) =>
        this.#setStreamAttributes(stream, attributes),
      close: (stream: FileStream) => this.#close(stream),
      dup: (stream: FileStream) => {
        stream.shared.refcount = (stream.shared.refcount as number) + 1
      },
      read: (
        stream: FileStream,
        buffer: Int8Array,
        offset: number,
        length: number,
        position: number,
      ) =>
        length === 0
          ? 0
          : this.#host(() => fs.readSync(stream.nfd as number, buffer, offset, length, position)),
      write: (
        stream: FileStream,
        buffer: Int8Array,
        offset: number,
        length: number,
        position: number,
      ) => {
        if (length === 0) return 0
        this.#refuseLost(stream.node.host?.real)
        // Appending is the kernel's: another may have appended since.
        const at = (stream.flags & APPEND) !== 0 ? null : position
        return this.#host(() => fs.writeSync(stream.nfd as number, buffer, offset, length, at))
      },
      llseek: (stream: FileStream, offset: number, whence: number) =>
        this.#seek(stream, offset, whence),
      fsync: (stream: FileStream) => {
        this.#host(() => fs.fsyncSync(stream.nfd as number))
        return 0
      },
      mmap: (stream: FileStream, length: number, position: number) =>
        this.#map(stream, length, position),
      msync: (stream: FileStream, buffer: Uint8Array, offset: number, length: number) => {
        // What lies beyond the end of the file is lost, also if that was elsewhere before.
        const size = this.#host(() => fs.fstatSync(stream.nfd as number).size)
        const end = Math.min(length, size - offset)
        for (let done = 0; done < end; ) {
          done += this.#host(() =>
            fs.writeSync(stream.nfd as number, buffer, done, end - done, offset + done),
          )
        }
        return 0
      },
    }
  }

  mount(): void {
    this.#replaceInEmscripten()
    for (const { path, readOnly } of this.#mounts) {
      const real = fs.realpathSync(path)
      const status = fs.statSync(real, STAT)
      this.#places.push({ real, readOnly })
      if (status.isDirectory()) this.#mountFolder(path, real, readOnly)
      else this.#mountFile(path, real, readOnly, status)
    }
  }

  adopt(descriptor: number, flags: number): number {
    const status = this.#host(() => fs.fstatSync(descriptor, STAT))
    // A node without a parent is its own; it has no name, because what it is of may have none.
    const node = new this.#fs.FSNode(null, '', permitted(Number(status.mode)), 0)
    node.stream_ops = this.#streamOperations
    const stream = this.#stream(node, `${DESCRIPTORS}/${descriptor}`, flags & ACCESS, descriptor)
    stream.adopted = true
    return stream.fd
  }

  /** Locks of whatever has a real file behind it; `undefined` leaves the call to Emscripten. */
  fcntl(fd: number, command: number, args: number): number | undefined {
    if (command === SET_FLAGS) {
      // Emscripten can only set flags, which would make O_APPEND stay for ever; those of a file on
      // the disk are fixed.
      return this.#fs.getStream(fd)?.nfd === undefined ? undefined : 0
    }
    if (command !== GET_LOCK && command !== SET_LOCK && command !== SET_LOCK_WAITING)
      return undefined
    const stream = this.#fs.getStream(fd)
    if (this.#locks === null || stream?.nfd === undefined) return undefined
    const pointer = this.#module.HEAPU32[args >>> 2] as number
    const { HEAP16, HEAP64 } = this.#module
    const type = HEAP16[pointer >>> 1] as number
    const whence = HEAP16[(pointer + 2) >>> 1] as number
    let start = HEAP64[(pointer + 8) >>> 3] as bigint
    const length = HEAP64[(pointer + 16) >>> 3] as bigint
    if (whence === 1) start += BigInt(stream.position)
    else if (whence === 2) start += this.#host(() => fs.fstatSync(stream.nfd as number, STAT).size)
    else if (whence !== 0) throw this.#error('EINVAL')
    // A negative length is what lies before; 0 is up to the end, however far that moves.
    let end = length === 0n ? END_OF_FILE : start + length
    if (length < 0n) [start, end] = [end, start]
    if (start < 0n) throw this.#error('EINVAL')
    if (end > END_OF_FILE) throw this.#error('EOVERFLOW')
    const file = this.#identity(stream)
    const range = { start, end }
    const place = () => this.#claimable(stream)
    if (type === UNLOCK && command !== GET_LOCK)
      return this.#locked(this.#locks.unlock(file, range))
    if (type !== READ_LOCK && type !== WRITE_LOCK) throw this.#error('EINVAL')
    const kind = type === READ_LOCK ? 'shared' : 'exclusive'
    if (command !== GET_LOCK) {
      const access = stream.flags & ACCESS
      if (access === (type === READ_LOCK ? 1 : 0)) throw this.#error('EBADF')
      return this.#locked(this.#locks.lock(file, range, kind, command === SET_LOCK_WAITING, place))
    }
    const held = this.#locks.conflict(file, range, kind, place)
    HEAP16[pointer >>> 1] = held === null ? UNLOCK : held.kind === 'shared' ? READ_LOCK : WRITE_LOCK
    if (held === null) return 0
    HEAP16[(pointer + 2) >>> 1] = 0
    HEAP64[(pointer + 8) >>> 3] = held.start
    HEAP64[(pointer + 16) >>> 3] = held.end === END_OF_FILE ? 0n : held.end - held.start
    this.#module.HEAP32[(pointer + 24) >>> 2] = held.pid
    return 0
  }

  /**
   * `flock`: 0, or Emscripten's number of an error. What is not on the disk is this interpreter's
   * alone, and always free.
   */
  flock(fd: number, operation: number): number {
    try {
      const stream = this.#fs.getStreamChecked(fd)
      if (this.#locks === null || stream.nfd === undefined) return 0
      const { kind, wait } = flockOperation(operation) ?? { kind: undefined, wait: false }
      if (kind === undefined) throw this.#error('EINVAL')
      const file = this.#identity(stream)
      const key = `${file.device}:${file.inode}`
      const holders = this.#flocks.get(key) ?? new Map<FileStream['shared'], LockKind>()
      if (kind === null) {
        this.#endFlock(stream)
        return 0
      }
      const others = [...holders]
        .filter(([holder]) => holder !== stream.shared)
        .map(([, held]) => held)
      if (others.includes('exclusive') || (kind === 'exclusive' && others.length > 0)) {
        // The thread would wait for itself.
        throw this.#error(wait ? 'EDEADLK' : 'EAGAIN')
      }
      this.#locked(
        this.#locks.lock(flockIdentity(file), WHOLE, kind, wait, () => this.#claimable(stream)),
      )
      this.#flocks.set(key, holders.set(stream.shared, kind))
      return 0
    } catch (error) {
      if (isErrnoError(error)) return error.errno
      throw error
    }
  }

  fdatasync(fd: number): number | undefined {
    const nfd = this.#fs.getStream(fd)?.nfd
    if (nfd === undefined) return undefined
    this.#host(() => fs.fdatasyncSync(nfd))
    return 0
  }

  /**
   * Emscripten's own looks every name up again, fails when one of them is gone by then, and makes
   * up inode numbers.
   */
  getdents(fd: number, at: number, size: number): number | undefined {
    const stream = this.#fs.getStream(fd)
    if (stream?.nfd === undefined || !isFolder(stream.node.mode)) return undefined
    stream.getdents ??= this.#entries(stream)
    const entries = stream.getdents
    let index = Math.floor(stream.position / DIRENT_SIZE)
    let pointer = at
    while (index < entries.length && pointer + DIRENT_SIZE <= at + size) {
      const { name, inode, type } = entries[index] as DirectoryEntry
      const { HEAPU8, HEAP16, HEAP64 } = this.#module
      index++
      HEAP64[pointer >>> 3] = BigInt.asIntN(64, inode)
      HEAP64[(pointer + 8) >>> 3] = BigInt(index * DIRENT_SIZE)
      HEAP16[(pointer + 16) >>> 1] = DIRENT_SIZE
      HEAPU8[pointer + 18] = type
      HEAPU8.set(name, pointer + 19)
      HEAPU8[pointer + 19 + name.length] = 0
      pointer += DIRENT_SIZE
    }
    stream.position = index * DIRENT_SIZE
    return pointer - at
  }

  /** Emscripten takes everything for permitted. */
  access(fd: number, pointer: number, mode: number, flags: number): number | undefined {
    const path = this.#module.SYSCALLS.calculateAt(fd, this.#module.SYSCALLS.getStr(pointer))
    const { node } = this.#fs.lookupPath(path, { follow: (flags & AT_SYMLINK_NOFOLLOW) === 0 })
    if (node === undefined || !isHostNode(node)) return undefined
    if ((mode & ~7) !== 0) throw this.#error('EINVAL')
    if ((mode & fs.constants.W_OK) !== 0) {
      const { real, readOnly } = place(node)
      if (readOnly || this.#isReadOnly(real)) throw this.#error('EROFS')
    }
    if ((node.mode & FILE_TYPE) !== IS_LINK)
      this.#host(() => fs.accessSync(toHost(place(node).real), mode))
    return 0
  }

  #replaceInEmscripten(): void {
    const files = this.#fs
    const calls = this.#module.SYSCALLS
    // Nodes of the disk are made afresh by every lookup. `rename` adds one in spite of that.
    const { hashAddNode } = files
    files.hashAddNode = (node) => {
      if (node.host === undefined) hashAddNode(node)
    }
    const { lookupPath } = files
    files.lookupPath = (path, options = {}) =>
      this.#lookupPath(path, options) ?? lookupPath(path, options)
    const { open } = files
    files.open = (path, flags, mode = 0o666) =>
      (typeof path === 'string' ? this.#open(path, flags, mode) : null) ?? open(path, flags, mode)
    // Emscripten's forget whom.
    const { chown, fchown } = files
    files.chown = (path, uid, gid, dontFollow = false) => {
      const node =
        typeof path === 'string' ? files.lookupPath(path, { follow: !dontFollow }).node : path
      if (node === undefined || !isHostNode(node)) return chown(path, uid, gid, dontFollow)
      this.#onItself(node, (host) =>
        (host.link ? fs.lchownSync : fs.chownSync)(host.path, uid, gid),
      )
    }
    files.fchown = (fd, uid, gid) => {
      const stream = files.getStreamChecked(fd)
      if (stream.nfd === undefined) return fchown(fd, uid, gid)
      this.#refuseReadOnly(stream)
      this.#host(() => fs.fchownSync(stream.nfd as number, uid, gid))
    }
    // Emscripten's loses what is no UTF-8.
    calls.getStr = (pointer) => {
      const { HEAPU8 } = this.#module
      return fromHost(Buffer.from(HEAPU8.buffer, pointer, HEAPU8.indexOf(0, pointer) - pointer))
    }
    const { writeStat } = calls
    calls.writeStat = (pointer, status) => {
      if (!(status instanceof Attributes)) return writeStat(pointer, status)
      this.#writeStat(pointer, status.exact)
      return 0
    }
  }

  /** Emscripten's `struct stat`, with times to the nanosecond. */
  #writeStat(pointer: number, status: fs.BigIntStats): void {
    const { HEAPU32, HEAP64 } = this.#module
    const word = pointer >>> 2
    const long = pointer >>> 3
    HEAPU32[word] = Number(BigInt.asUintN(32, status.dev))
    HEAPU32[word + 1] = Number(status.mode)
    HEAPU32[word + 2] = Number(status.nlink)
    HEAPU32[word + 3] = Number(status.uid)
    HEAPU32[word + 4] = Number(status.gid)
    HEAPU32[word + 5] = Number(BigInt.asUintN(32, status.rdev))
    HEAP64[long + 3] = status.size
    HEAPU32[word + 8] = Number(status.blksize)
    HEAPU32[word + 9] = Number(BigInt.asUintN(32, status.blocks))
    this.#writeTime(pointer + 40, status.atimeNs)
    this.#writeTime(pointer + 56, status.mtimeNs)
    this.#writeTime(pointer + 72, status.ctimeNs)
    HEAP64[long + 11] = BigInt.asIntN(64, status.ino)
  }

  #writeTime(pointer: number, nanoseconds: bigint): void {
    const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
    this.#module.HEAP64[pointer >>> 3] = (nanoseconds - rest) / 1_000_000_000n
    this.#module.HEAPU32[(pointer + 8) >>> 2] = Number(rest)
  }

  #mountFolder(path: string, real: string, readOnly: boolean): void {
    const node = this.#find(path)
    // Within another mount lookups make new nodes each time; the one that carries the mount has to
    // stay.
    if (node === null) this.#fs.mkdirTree(path)
    else if (isHostNode(node)) this.#mountPoints.set(path, node)
    this.#fs.mount(
      {
        mount: () => {
          const root = new this.#fs.FSNode(null, '/', permitted(IS_FOLDER), 0)
          this.#roots.unshift({ root, path: `${path}/`, real: `${real}/` })
          return this.#hostNode(root, { path, real, readOnly })
        },
      },
      { root: real },
      path,
    )
  }

  #find(path: string): FileNode | null {
    try {
      return this.#fs.lookupPath(path, { follow_mount: false }).node ?? null
    } catch (error) {
      if (isErrnoError(error) && error.errno === this.#module.ERRNO_CODES.ENOENT) return null
      throw error
    }
  }

  #mountFile(path: string, real: string, readOnly: boolean, status: fs.BigIntStats): void {
    const end = path.lastIndexOf('/')
    const folder = path.slice(0, end) || '/'
    const name = path.slice(end + 1)
    this.#fs.mkdirTree(folder)
    const parent = this.#fs.lookupPath(folder, { follow: true }).node as FileNode
    const node = this.#fs.createNode(parent, name, permitted(Number(status.mode)), 0)
    this.#hostNode(node, { path, real, readOnly })
    // What carries a mount cannot be renamed or deleted (EBUSY); this one carries itself.
    node.mounted = { root: node }
    if (isHostNode(parent)) this.#mountPoints.set(path, node)
    // A folder in memory lists what it contains.
    else (parent.contents as Record<string, FileNode>)[name] = node
  }

  #hostNode(node: FileNode, host: HostPlace): FileNode {
    node.host = host
    node.node_ops = this.#nodeOperations
    node.stream_ops = this.#streamOperations
    return node
  }

  #lookup(parent: FileNode, name: string): FileNode {
    const { path, real } = place(parent)
    const mountPoint =
      this.#mountPoints.size === 0 ? undefined : this.#mountPoints.get(`${path}/${name}`)
    if (mountPoint !== undefined) return mountPoint
    const status = this.#host(() => fs.lstatSync(toHost(`${real}/${name}`), STAT_OR_NOTHING))
    if (status === undefined) throw this.#error('ENOENT')
    return this.#seen(parent, name, status)
  }

  /** The node of what a folder was just seen to have under a name. */
  #seen(parent: FileNode, name: string, status: fs.BigIntStats): FileNode {
    const { path, real, readOnly } = place(parent)
    const node = new this.#fs.FSNode(parent, name, permitted(Number(status.mode)), 0)
    node.seen = status
    return this.#hostNode(node, { path: `${path}/${name}`, real: `${real}/${name}`, readOnly })
  }

  #attributes(node: FileNode): Attributes {
    const { seen } = node
    node.seen = undefined
    return new Attributes(seen ?? this.#host(() => fs.lstatSync(toHost(place(node).real), STAT)))
  }

  /**
   * FS.lookupPath for what needs no more than one look: Emscripten's looks at each folder of the
   * path for itself, which makes up most of the time of a stat. Null leaves it to that: paths with
   * `..`, through links, to the folders of mounts, to what is missing on the way.
   */
  #lookupPath(path: string, options: LookupOptions): Found | null {
    const mount = this.#roots.find((one) => path.startsWith(one.path))
    if (mount === undefined) return null
    const rest = path.slice(mount.path.length)
    const end = rest.lastIndexOf('/')
    const name = rest.slice(end + 1)
    // From three names on it pays.
    if (end < 0 || rest.indexOf('/') === end || name === '' || UNRESOLVED.test(`/${rest}/`))
      return null
    const folder = rest.slice(0, end)
    const real = `${mount.real}${folder}`
    if (!this.#hasNoLinks(real)) return null
    const parent = new this.#fs.FSNode(mount.root, folder, permitted(IS_FOLDER), 0)
    const { readOnly } = place(mount.root)
    this.#hostNode(parent, { path: `${mount.path}${folder}`, real, readOnly })
    if (options.parent === true) return { path: place(parent).path, node: parent }
    const inside = `${mount.path}${rest}`
    if (this.#mountPoints.has(inside)) return null
    const outside = `${real}/${name}`
    const status = this.#host(() => fs.lstatSync(toHost(outside), STAT_OR_NOTHING))
    if (status === undefined) {
      if (options.noent_okay === true) return { path: inside, node: undefined }
      throw this.#error('ENOENT')
    }
    const node = this.#seen(parent, name, status)
    if (options.follow === true && (node.mode & FILE_TYPE) === IS_LINK) return null
    return { path: inside, node }
  }

  /** Whether a folder is there, and reached without a link. */
  #hasNoLinks(folder: string): boolean {
    try {
      return fs.realpathSync.native(folder) === folder
    } catch {
      return false
    }
  }

  /** FS.open for what is on the disk, or null when the path leads elsewhere. */
  #open(path: string, modeOrFlags: number | string, mode: number): FileStream | null {
    const flags = typeof modeOrFlags === 'string' ? MODES[modeOrFlags] : modeOrFlags
    if (flags === undefined || path === '') return null
    const exclusive = (flags & (CREATE | EXCLUSIVE)) === (CREATE | EXCLUSIVE)
    const found = this.#fs.lookupPath(path, {
      follow: (flags & NO_FOLLOW) === 0 && !exclusive,
      noent_okay: true,
    })
    if (found.node !== undefined) {
      if (!isHostNode(found.node)) return null
      if (exclusive) throw this.#error('EEXIST')
      return this.#openNode(found.node, flags, path.endsWith('/'))
    }
    const parent = this.#fs.lookupPath(found.path, { parent: true }).node
    if (parent === undefined || !isHostNode(parent)) return null
    if ((flags & CREATE) === 0) throw this.#error('ENOENT')
    if (path.endsWith('/')) throw this.#error('EISDIR')
    return this.#create(parent, found.path.slice(found.path.lastIndexOf('/') + 1), flags, mode)
  }

  #openNode(node: FileNode, flags: number, asFolder: boolean): FileStream {
    const { real, readOnly } = place(node)
    const type = node.mode & FILE_TYPE
    const writes = (flags & ACCESS) !== 0 || (flags & TRUNCATE) !== 0
    if (type === IS_LINK) throw this.#error('ELOOP')
    if (type !== IS_FOLDER && ((flags & DIRECTORY) !== 0 || asFolder)) throw this.#error('ENOTDIR')
    if (type === IS_FOLDER && (writes || (flags & CREATE) !== 0)) throw this.#error('EISDIR')
    // A FIFO would keep the thread waiting where nothing can end it, and devices are no files of
    // the application.
    if (type !== IS_FOLDER && type !== IS_FILE) throw this.#error('ENXIO')
    if (writes && readOnly) throw this.#error('EROFS')
    const nfd = this.#host(() =>
      fs.openSync(toHost(real), hostFlags(flags & ~(CREATE | EXCLUSIVE))),
    )
    const stream = this.#opened(node, flags, nfd)
    // As SQLite opens its databases, and hardly anybody else.
    if (type === IS_FILE && (flags & ACCESS) === READ_AND_WRITE) this.#explainLog(stream)
    return stream
  }

  /** SQLite will say no more than "unable to open database file". */
  #explainLog(stream: FileStream): void {
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    let read = 0
    try {
      read = fs.readSync(stream.nfd as number, header, 0, HEADER_BYTES, 0)
    } catch {
      // Whoever has opened it will see the error when they read.
    }
    if (read < HEADER_BYTES || !isLogged(header)) return
    this.#noticeOnce(
      `${stream.path} is an SQLite database with a write-ahead log (journal_mode=WAL), which needs memory that several interpreters ` +
        'share, and embedded ones cannot have that: SQLite cannot open it. Turn it back first, while nobody uses it, with ' +
        'PRAGMA locking_mode=EXCLUSIVE and then PRAGMA journal_mode=DELETE',
    )
  }

  #create(parent: FileNode, name: string, flags: number, mode: number): FileStream {
    const { path, real, readOnly } = place(parent)
    if (readOnly) throw this.#error('EROFS')
    const nfd = this.#within(parent, name, (host) =>
      fs.openSync(host, hostFlags(flags), mode & 0o7777),
    )
    const node = new this.#fs.FSNode(parent, name, permitted(IS_FILE), 0)
    this.#hostNode(node, { path: `${path}/${name}`, real: `${real}/${name}`, readOnly })
    return this.#opened(node, flags, nfd)
  }

  #opened(node: FileNode, flags: number, nfd: number): FileStream {
    const { path, real } = place(node)
    try {
      const found = this.#verify(nfd, real)
      const writes = (flags & ACCESS) !== 0 || (flags & TRUNCATE) !== 0
      if (writes && this.#isReadOnly(found)) throw this.#error('EROFS')
      // Not before it is known to be the right file.
      if ((flags & TRUNCATE) !== 0) this.#host(() => fs.ftruncateSync(nfd, 0))
      return this.#stream(node, path, flags & ~(CREATE | EXCLUSIVE | TRUNCATE | NO_FOLLOW), nfd)
    } catch (error) {
      fs.closeSync(nfd)
      throw error
    }
  }

  #stream(node: FileNode, path: string, flags: number, nfd: number): FileStream {
    const stream = this.#fs.createStream({
      node,
      path,
      flags,
      position: 0,
      seekable: true,
      stream_ops: this.#streamOperations,
      ungotten: [],
      error: false,
      nfd,
    })
    stream.shared.refcount = 1
    return stream
  }

  #close(stream: FileStream): void {
    const nfd = stream.nfd as number
    if (this.#locks?.any) this.#locks.closed(this.#identity(stream))
    stream.shared.refcount = (stream.shared.refcount as number) - 1
    if (stream.shared.refcount === 0 && this.#flocks.size > 0) this.#endFlock(stream)
    if (stream.shared.refcount === 0 && stream.adopted !== true) this.#host(() => fs.closeSync(nfd))
  }

  #endFlock(stream: FileStream): void {
    const { device, inode } = this.#identity(stream)
    const holders = this.#flocks.get(`${device}:${inode}`)
    if (!holders?.delete(stream.shared) || holders.size > 0) return
    this.#flocks.delete(`${device}:${inode}`)
    this.#locks?.unlock(flockIdentity({ device, inode }), WHOLE)
  }

  #seek(stream: FileStream, offset: number, whence: number): number {
    let position = offset
    if (whence === 1) position += stream.position
    else if (whence === 2 && !isFolder(stream.node.mode)) {
      position += this.#host(() => fs.fstatSync(stream.nfd as number).size)
    }
    if (position < 0) throw this.#error('EINVAL')
    return position
  }

  #map(stream: FileStream, length: number, position: number): object {
    if (!isFile(stream.node.mode)) throw this.#error('ENODEV')
    const pointer = this.#module.mmapAlloc(length)
    if (pointer === 0) throw this.#error('ENOMEM')
    // Allocating may have replaced the views of memory.
    const memory = this.#module.HEAP8
    for (let done = 0; done < length; ) {
      const read = this.#host(() =>
        fs.readSync(stream.nfd as number, memory, pointer + done, length - done, position + done),
      )
      if (read === 0) break
      done += read
    }
    return { ptr: pointer, allocated: true }
  }

  #make(parent: FileNode, name: string, mode: number): FileNode {
    const type = mode & FILE_TYPE
    if (type === IS_FOLDER) this.#change(parent, name, (path) => fs.mkdirSync(path, mode & 0o7777))
    else if (type === IS_FILE)
      this.#change(parent, name, (path) => fs.closeSync(fs.openSync(path, 'wx', mode & 0o7777)))
    else throw this.#error('EPERM')
    return this.#lookup(parent, name)
  }

  #rename(node: FileNode, folder: FileNode, name: string): void {
    if (place(node.parent).readOnly || place(folder).readOnly) throw this.#error('EROFS')
    if (isFolder(node.mode)) this.#locks?.settle()
    this.#within(node.parent, node.name, (from) =>
      this.#within(folder, name, (to) => fs.renameSync(from, to)),
    )
    node.name = name
  }

  #setAttributes(node: FileNode, attributes: NewAttributes): void {
    // Linux cannot change a link's mode either.
    if (
      attributes.mode !== undefined &&
      attributes.dontFollow &&
      (node.mode & FILE_TYPE) === IS_LINK
    ) {
      throw this.#error('EOPNOTSUPP')
    }
    this.#onItself(node, (host) => {
      if (attributes.mode !== undefined) fs.chmodSync(host.path, attributes.mode & 0o7777)
      if (attributes.size !== undefined) fs.truncateSync(host.path, attributes.size)
      const times = timesOf(attributes, () => (host.link ? fs.lstatSync : fs.statSync)(host.path))
      if (times !== null) (host.link ? fs.lutimesSync : fs.utimesSync)(host.path, ...times)
    })
  }

  #setStreamAttributes(stream: FileStream, attributes: NewAttributes): void {
    const nfd = stream.nfd as number
    this.#refuseReadOnly(stream)
    this.#refuseLost(stream.node.host?.real)
    this.#host(() => {
      if (attributes.mode !== undefined) fs.fchmodSync(nfd, attributes.mode & 0o7777)
      if (attributes.size !== undefined) fs.ftruncateSync(nfd, attributes.size)
      const times = timesOf(attributes, () => fs.fstatSync(nfd))
      if (times !== null) fs.futimesSync(nfd, ...times)
    })
  }

  /** Changes what a folder has under a name. */
  #change(parent: FileNode, name: string, change: (path: HostPath) => void): void {
    if (place(parent).readOnly) throw this.#error('EROFS')
    this.#within(parent, name, change)
  }

  /**
   * Calls with a path to `name`, which is to be changed, in a folder that is held open and known to
   * be the one that was looked up.
   */
  #within<T>(parent: FileNode, name: string, use: (path: HostPath) => T): T {
    const { real } = place(parent)
    if (!verifiable) {
      this.#refuseChange(`${real}/${name}`)
      return this.#host(() => use(toHost(`${real}/${name}`)))
    }
    const folder = this.#host(() =>
      fs.openSync(toHost(real), O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW),
    )
    try {
      this.#refuseChange(`${this.#verify(folder, real)}/${name}`)
      return this.#host(() => use(toHost(`${DESCRIPTORS}/${folder}/${name}`)))
    } finally {
      fs.closeSync(folder)
    }
  }

  /**
   * Calls with a path to what a node is of, verified likewise. Where it is a link and not what that
   * leads to, `link` is set.
   */
  #onItself(node: FileNode, use: (host: { path: HostPath; link: boolean }) => void): void {
    const { real, readOnly } = place(node)
    if (readOnly) throw this.#error('EROFS')
    const link = (node.mode & FILE_TYPE) === IS_LINK
    if (!verifiable) {
      if (this.#isReadOnly(real)) throw this.#error('EROFS')
      return this.#host(() => use({ path: toHost(real), link }))
    }
    if (link) return this.#within(node.parent, node.name, (path) => use({ path, link }))
    const descriptor = this.#host(() => fs.openSync(toHost(real), O_PATH | fs.constants.O_NOFOLLOW))
    try {
      if (this.#isReadOnly(this.#verify(descriptor, real))) throw this.#error('EROFS')
      this.#host(() => use({ path: `${DESCRIPTORS}/${descriptor}`, link }))
    } finally {
      fs.closeSync(descriptor)
    }
  }

  /**
   * Where something that was opened lies on the disk. Refuses (EACCES) what lies outside of all
   * mounts: a folder of its path was replaced by a link meanwhile.
   */
  #verify(descriptor: number, expected: string): string {
    if (!verifiable) return expected
    const path = this.#pathOf(descriptor)
    if (path !== expected && !this.#roots.some(({ real }) => isWithin(`${path}/`, real)))
      throw this.#error('EACCES')
    return path
  }

  #pathOf(descriptor: number): string {
    const path = this.#host(() =>
      fromHost(fs.readlinkSync(`${DESCRIPTORS}/${descriptor}`, 'buffer')),
    )
    return path.endsWith(' (deleted)') ? path.slice(0, -' (deleted)'.length) : path
  }

  /**
   * Whether a place on the disk is read-only by whatever path it was come to: what the innermost
   * mount says that it lies in. Where that is mounted at several paths, with different rights, each
   * path has its own.
   */
  #isReadOnly(real: string): boolean {
    let innermost = -1
    let readOnly = false
    for (const mount of this.#places) {
      if (mount.real.length < innermost || !isWithin(real, mount.real)) continue
      readOnly = mount.readOnly && (mount.real.length > innermost || readOnly)
      innermost = mount.real.length
    }
    return readOnly
  }

  /**
   * For a name in a folder. Neither a mount can be taken away nor what one is in: it would be
   * somewhere else then, with other rights.
   */
  #refuseChange(real: string): void {
    if (this.#places.some((mount) => isWithin(mount.real, real))) throw this.#error('EBUSY')
    if (this.#isReadOnly(real)) throw this.#error('EROFS')
  }

  #refuseReadOnly(stream: FileStream): void {
    const { host } = stream.node
    if (host === undefined) return
    const real = verifiable ? this.#pathOf(stream.nfd as number) : host.real
    if (host.readOnly || this.#isReadOnly(real)) throw this.#error('EROFS')
  }

  #entries(stream: FileStream): DirectoryEntry[] {
    const { path, real } = place(stream.node)
    const folder = verifiable ? `${DESCRIPTORS}/${stream.nfd}` : toHost(real)
    const itself = this.#host(() => fs.fstatSync(stream.nfd as number, STAT))
    const above = this.#inodeAbove(path) ?? itself.ino
    const entries: DirectoryEntry[] = [
      { name: Buffer.from('.'), inode: itself.ino, type: 4 },
      { name: Buffer.from('..'), inode: above, type: 4 },
    ]
    for (const name of this.#names(folder)) {
      // Python's buffer has room for what a name may have on most file systems, and no more.
      if (name.length > LONGEST_NAME) continue
      const status = this.#host(() => fs.lstatSync(joined(folder, name), STAT_OR_NOTHING))
      // Gone since it was listed.
      if (status !== undefined)
        entries.push({ name, inode: status.ino, type: Number(status.mode & 0o170000n) >>> 12 })
    }
    return entries
  }

  /**
   * That of the folder which a path's folder is in; null where none is to be seen, as when the path
   * is not the folder's any more.
   */
  #inodeAbove(path: string): bigint | null {
    try {
      const parent = this.#fs.lookupPath(`${path}/..`).node
      return parent === undefined || !isHostNode(parent) ? null : this.#attributes(parent).exact.ino
    } catch (error) {
      if (isErrnoError(error)) return null
      throw error
    }
  }

  /**
   * Without the links that claim files: they come and go, and lead nowhere, so that whoever copies,
   * collects or archives a folder would stumble over them.
   */
  #names(folder: HostPath): Buffer[] {
    const names = this.#host(() => fs.readdirSync(folder, 'buffer'))
    return this.#locks === null
      ? names
      : names.filter((name) => !isClaimLink(joined(folder, name), name))
  }

  /**
   * Where an open file lies, if this process may claim it there: its folder can be changed, and the
   * file has not been deleted or replaced.
   */
  #claimable(stream: FileStream): Buffer | null {
    const { host } = stream.node
    if (host === undefined || host.readOnly) return null
    try {
      const bytes = verifiable
        ? fs.readlinkSync(`${DESCRIPTORS}/${stream.nfd}`, 'buffer')
        : Buffer.from(toHost(host.real))
      const link = fromHost(claimLink(bytes))
      if (!this.#places.some(({ real }) => isWithin(link, real)) || this.#isReadOnly(link))
        return null
      const { device, inode } = this.#identity(stream)
      const found = fs.statSync(bytes, STAT_OR_NOTHING)
      return found?.ino === inode && found.dev === device ? bytes : null
    } catch {
      return null
    }
  }

  /**
   * Removes a folder. What is not shown in it must not be in the way: claims of files that are not
   * there any more, whoever has left them. (Where there is no file there is nothing to be excluded
   * from.)
   */
  #removeFolder(path: HostPath): void {
    this.#locks?.settle()
    try {
      fs.rmdirSync(path)
    } catch (error) {
      if (this.#locks === null || (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
      for (const name of fs.readdirSync(path, 'buffer')) {
        const link = joined(path, name)
        if (!isClaimLink(link, name)) throw error
        if (fs.lstatSync(joined(path, claimedName(name)), STAT_OR_NOTHING) !== undefined)
          throw error
        fs.rmSync(link, { force: true })
      }
      fs.rmdirSync(path)
    }
  }

  /**
   * What others have locked by now, as this process was not heard of for long, must not be changed.
   */
  #refuseLost(path: string | undefined): void {
    if (path !== undefined && this.#locks?.any && this.#locks.isLost(path)) throw this.#error('EIO')
  }

  #identity(stream: FileStream): FileIdentity {
    if (stream.identity === undefined) {
      const status = this.#host(() => fs.fstatSync(stream.nfd as number, STAT))
      stream.identity = { device: status.dev, inode: status.ino }
    }
    return stream.identity
  }

  #noticeOnce(text: string): void {
    if (this.#noticed.has(text)) return
    this.#noticed.add(text)
    this.#notice(text)
  }

  #locked(failure: string | null): number {
    if (failure !== null) throw this.#error(failure)
    return 0
  }

  /** Calls node:fs, and turns its errors into Emscripten's. */
  #host<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === undefined) throw error
      if (code === 'ERR_INVALID_ARG_VALUE' || code === 'ERR_OUT_OF_RANGE')
        throw this.#error('EINVAL')
      throw this.#error(code)
    }
  }

  #error(code: string): ErrnoError {
    return new this.#fs.ErrnoError(
      this.#module.ERRNO_CODES[code] ?? (this.#module.ERRNO_CODES.EIO as number),
    )
  }
}

const WHOLE = { start: 0n, end: END_OF_FILE }

/** LOCK_SH, LOCK_EX or LOCK_UN (a kind of null), with or without LOCK_NB. */
function flockOperation(operation: number): { kind: LockKind | null; wait: boolean } | null {
  const wait = (operation & 4) === 0
  switch (operation & ~4) {
    case 1:
      return { kind: 'shared', wait }
    case 2:
      return { kind: 'exclusive', wait }
    case 8:
      return { kind: null, wait }
    default:
      return null
  }
}

type HostPath = string | Buffer

/**
 * Bytes that are no UTF-8 are single surrogates in strings, as in Python ("surrogateescape"): 0x80
 * is U+DC80.
 */
const ESCAPED = /[\uDC80-\uDCFF]/u

/**
 * Node 20 has it, the library of types for ES2023 does not. Far cheaper than a regular expression.
 */
interface WellFormedness {
  isWellFormed(): boolean
}

function toHost(path: string): HostPath {
  if ((path as unknown as WellFormedness).isWellFormed()) return path
  return Buffer.concat(
    path
      .split(/([\uDC80-\uDCFF])/u)
      .map((part) =>
        ESCAPED.test(part) ? Buffer.from([part.charCodeAt(0) & 0xff]) : Buffer.from(part),
      ),
  )
}

function fromHost(bytes: Buffer): string {
  const text = bytes.toString()
  if (!text.includes('\uFFFD')) return text
  let decoded = ''
  for (let at = 0; at < bytes.length; ) {
    // The longest valid character here, or one byte of none.
    const length = [1, 2, 3, 4].find((count) => {
      const part = bytes.subarray(at, at + count)
      const character = part.toString()
      return [...character].length === 1 && Buffer.from(character).equals(part)
    })
    if (length === undefined) decoded += String.fromCharCode(0xdc00 + (bytes[at] as number))
    else decoded += bytes.toString('utf8', at, at + length)
    at += length ?? 1
  }
  return decoded
}

function joined(folder: HostPath, name: Buffer): HostPath {
  const text = name.toString()
  if (typeof folder === 'string' && !text.includes('\uFFFD')) return `${folder}/${text}`
  return Buffer.concat([Buffer.from(folder as string), Buffer.from('/'), name])
}

/**
 * What Emscripten takes for a `stat`. One is made for every such call, and seldom asked for more
 * than `exact`.
 */
class Attributes {
  readonly exact: fs.BigIntStats

  constructor(exact: fs.BigIntStats) {
    this.exact = exact
  }

  get dev(): number {
    return Number(this.exact.dev)
  }

  get ino(): number {
    return Number(this.exact.ino)
  }

  get mode(): number {
    return Number(this.exact.mode)
  }

  get nlink(): number {
    return Number(this.exact.nlink)
  }

  get uid(): number {
    return Number(this.exact.uid)
  }

  get gid(): number {
    return Number(this.exact.gid)
  }

  get rdev(): number {
    return Number(this.exact.rdev)
  }

  get size(): number {
    return Number(this.exact.size)
  }

  get atime(): Date {
    return this.exact.atime
  }

  get mtime(): Date {
    return this.exact.mtime
  }

  get ctime(): Date {
    return this.exact.ctime
  }

  get blksize(): number {
    return Number(this.exact.blksize)
  }

  get blocks(): number {
    return Number(this.exact.blocks)
  }
}

/** Access and modification time as Node takes them, in seconds, where one of them is to be set. */
function timesOf(
  attributes: NewAttributes,
  now: () => fs.Stats,
): [number | Date, number | Date] | null {
  const { atime, mtime } = attributes
  if (typeof atime !== 'number' && typeof mtime !== 'number') return null
  const kept = typeof atime === 'number' && typeof mtime === 'number' ? null : now()
  return [
    hostTime(atime ?? (kept?.atimeMs as number)),
    hostTime(mtime ?? (kept?.mtimeMs as number)),
  ]
}

/** Node takes a negative number for the present, but no such date. */
function hostTime(milliseconds: number): number | Date {
  return milliseconds < 0 ? new Date(milliseconds) : milliseconds / 1000
}

/**
 * The host's flags. Never truncating (that comes when the file is known), and never waiting for a
 * FIFO that came in its place.
 */
function hostFlags(flags: number): number {
  const { constants } = fs
  let host =
    [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR][flags & ACCESS] ?? constants.O_RDWR
  host |= constants.O_NOFOLLOW | constants.O_NONBLOCK
  if ((flags & CREATE) !== 0) host |= constants.O_CREAT
  if ((flags & EXCLUSIVE) !== 0) host |= constants.O_EXCL
  if ((flags & APPEND) !== 0) host |= constants.O_APPEND
  if ((flags & SYNCHRONOUS) !== 0) host |= constants.O_SYNC
  if ((flags & DIRECTORY) !== 0) host |= constants.O_DIRECTORY
  return host
}

function place(node: FileNode): HostPlace {
  return node.host as HostPlace
}

function isHostNode(node: FileNode): boolean {
  return node.host !== undefined
}

/**
 * A node's mode: what it is, and leave for everything. Whether something is permitted is the host's
 * to say; Emscripten would ask the bits alone.
 */
function permitted(mode: number): number {
  return (mode & FILE_TYPE) | 0o777
}

function isFolder(mode: number): boolean {
  return (mode & FILE_TYPE) === IS_FOLDER
}

function isFile(mode: number): boolean {
  return (mode & FILE_TYPE) === IS_FILE
}

function isErrnoError(error: unknown): error is ErrnoError {
  return (
    (error as { name?: unknown } | null)?.name === 'ErrnoError' &&
    typeof (error as ErrnoError).errno === 'number'
  )
}

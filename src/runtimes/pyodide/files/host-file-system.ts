import * as fs from 'node:fs'
import type { FileLocks } from '../locks/file-locks.ts'
import { Attributes, STAT, writeStat } from './attributes.ts'
import {
  type Emscripten,
  type FileNode,
  IS_FOLDER,
  isErrnoError,
  isHostNode,
  isLink,
  permitted,
  place,
} from './emscripten.ts'
import { FileOpener } from './file-opener.ts'
import { Folders } from './folders.ts'
import { HostCalls } from './host-calls.ts'
import { LockCalls, SET_FLAGS } from './lock-calls.ts'
import { MountedDisk } from './mounted-disk.ts'
import type { Mount } from './mounts.ts'
import { Nodes } from './nodes.ts'
import { fromHost, toHost } from './path-bytes.ts'
import { PathLookup } from './path-lookup.ts'
import { Streams } from './streams.ts'

const AT_SYMLINK_NOFOLLOW = 0x100

/** The mounts in one interpreter, and the system calls that Emscripten leaves to them. */
export class HostFileSystem {
  readonly folders: Folders
  readonly locks: LockCalls
  readonly streams: Streams
  readonly #emscripten: Emscripten
  readonly #calls: HostCalls
  readonly #disk: MountedDisk
  readonly #nodes: Nodes
  readonly #lookup: PathLookup
  readonly #opener: FileOpener

  constructor(emscripten: Emscripten, locks: FileLocks | null, notice: (text: string) => void) {
    this.#emscripten = emscripten
    this.#calls = new HostCalls(emscripten)
    this.#disk = new MountedDisk(this.#calls)
    this.folders = new Folders(emscripten, this.#calls, locks)
    this.locks = new LockCalls(emscripten, this.#disk, locks)
    this.streams = new Streams(emscripten, this.#disk, this.locks)
    const disk = this.#disk
    const { folders, streams } = this
    this.#nodes = new Nodes({ emscripten, disk, folders, locks: this.locks, streams })
    this.#lookup = new PathLookup(emscripten, this.#disk, this.#nodes)
    this.#opener = new FileOpener({ emscripten, disk, nodes: this.#nodes, streams, notice })
  }

  /** Replaces parts of Emscripten and makes the mounts. Call it once. */
  mount(mounts: readonly Mount[]): void {
    this.#replaceInEmscripten()
    for (const { path, readOnly } of mounts) {
      const real = fs.realpathSync(path)
      const status = fs.statSync(real, STAT)
      this.#disk.add(real, readOnly)
      if (status.isDirectory()) this.#mountFolder(path, real, readOnly)
      else this.#mountFile(path, real, readOnly, status)
    }
  }

  fcntl(fd: number, command: number, args: number): number | undefined {
    if (command !== SET_FLAGS) return this.locks.fcntl(fd, command, args)
    // Emscripten can only set flags, so that O_APPEND could never be cleared. The flags of a file
    // on the disk are fixed.
    return this.#emscripten.FS.getStream(fd)?.nfd === undefined ? undefined : 0
  }

  fdatasync(fd: number): number | undefined {
    const nfd = this.#emscripten.FS.getStream(fd)?.nfd
    if (nfd === undefined) return undefined
    this.#calls.run(() => fs.fdatasyncSync(nfd))
    return 0
  }

  /** Emscripten's own `access` permits everything. */
  access(fd: number, pointer: number, mode: number, flags: number): number | undefined {
    const { SYSCALLS, FS } = this.#emscripten
    const path = SYSCALLS.calculateAt(fd, SYSCALLS.getStr(pointer))
    const { node } = FS.lookupPath(path, { follow: (flags & AT_SYMLINK_NOFOLLOW) === 0 })
    if (node === undefined || !isHostNode(node)) return undefined
    if ((mode & ~7) !== 0) throw this.#calls.error('EINVAL')
    const { real, readOnly } = place(node)
    if ((mode & fs.constants.W_OK) !== 0 && (readOnly || this.#disk.isReadOnly(real)))
      throw this.#calls.error('EROFS')
    if (!isLink(node.mode)) this.#calls.run(() => fs.accessSync(toHost(real), mode))
    return 0
  }

  #replaceInEmscripten(): void {
    const files = this.#emscripten.FS
    const calls = this.#emscripten.SYSCALLS
    // Every lookup makes the nodes of the disk anew, so none is kept. `rename` would add one.
    const { hashAddNode } = files
    files.hashAddNode = (node) => {
      if (node.host === undefined) hashAddNode(node)
    }
    const { lookupPath } = files
    files.lookupPath = (path, options = {}) =>
      this.#lookup.find(path, options) ?? lookupPath(path, options)
    const { open } = files
    files.open = (path, flags, mode = 0o666) =>
      (typeof path === 'string' ? this.#opener.open(path, flags, mode) : null) ??
      open(path, flags, mode)
    // Emscripten's own `chown` and `fchown` ignore the owner.
    const { chown, fchown } = files
    files.chown = (path, uid, gid, dontFollow = false) => {
      const node =
        typeof path === 'string' ? files.lookupPath(path, { follow: !dontFollow }).node : path
      if (node === undefined || !isHostNode(node)) return chown(path, uid, gid, dontFollow)
      this.#disk.onItself(node, (host) =>
        (host.link ? fs.lchownSync : fs.chownSync)(host.path, uid, gid),
      )
    }
    files.fchown = (fd, uid, gid) => {
      const stream = files.getStreamChecked(fd)
      if (stream.nfd === undefined) return fchown(fd, uid, gid)
      this.#disk.refuseReadOnly(stream)
      this.#calls.run(() => fs.fchownSync(stream.nfd as number, uid, gid))
    }
    // Emscripten's own `getStr` loses bytes that are not UTF-8.
    calls.getStr = (pointer) => {
      const { HEAPU8 } = this.#emscripten
      return fromHost(Buffer.from(HEAPU8.buffer, pointer, HEAPU8.indexOf(0, pointer) - pointer))
    }
    const { writeStat: writeOwnStat } = calls
    calls.writeStat = (pointer, status) => {
      if (!(status instanceof Attributes)) return writeOwnStat(pointer, status)
      writeStat(this.#emscripten, pointer, status.exact)
      return 0
    }
  }

  #mountFolder(path: string, real: string, readOnly: boolean): void {
    const files = this.#emscripten.FS
    const node = this.#find(path)
    // Lookups inside another mount make new nodes each time. The node that carries a mount must
    // be the same each time.
    if (node === null) files.mkdirTree(path)
    else if (isHostNode(node)) this.#disk.mountPoints.set(path, node)
    files.mount(
      {
        mount: () => {
          const root = new files.FSNode(null, '/', permitted(IS_FOLDER), 0)
          this.#disk.roots.unshift({ root, path: `${path}/`, real: `${real}/` })
          return this.#nodes.adopt(root, { path, real, readOnly })
        },
      },
      { root: real },
      path,
    )
  }

  #mountFile(path: string, real: string, readOnly: boolean, status: fs.BigIntStats): void {
    const files = this.#emscripten.FS
    const end = path.lastIndexOf('/')
    const folder = path.slice(0, end) || '/'
    const name = path.slice(end + 1)
    files.mkdirTree(folder)
    const parent = files.lookupPath(folder, { follow: true }).node as FileNode
    const node = files.createNode(parent, name, permitted(Number(status.mode)), 0)
    this.#nodes.adopt(node, { path, real, readOnly })
    // A node that carries a mount cannot be renamed or deleted (EBUSY). This one carries itself.
    node.mounted = { root: node }
    if (isHostNode(parent)) this.#disk.mountPoints.set(path, node)
    // A folder in memory has a list of its contents.
    else (parent.contents as Record<string, FileNode>)[name] = node
  }

  #find(path: string): FileNode | null {
    const { FS, ERRNO_CODES } = this.#emscripten
    try {
      return FS.lookupPath(path, { follow_mount: false }).node ?? null
    } catch (error) {
      if (isErrnoError(error) && error.errno === ERRNO_CODES.ENOENT) return null
      throw error
    }
  }
}

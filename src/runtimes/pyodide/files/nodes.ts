import * as fs from 'node:fs'
import { STAT_OR_NOTHING, timesOf } from './attributes.ts'
import {
  type Emscripten,
  FILE_TYPE,
  type FileNode,
  type HostPlace,
  IS_FILE,
  IS_FOLDER,
  isFolder,
  isLink,
  type NewAttributes,
  permitted,
  place,
} from './emscripten.ts'
import { attributesOf, type Folders } from './folders.ts'
import type { HostCalls } from './host-calls.ts'
import type { LockCalls } from './lock-calls.ts'
import type { MountedDisk } from './mounted-disk.ts'
import { fromHost, toHost } from './path-bytes.ts'
import type { Streams } from './streams.ts'

/** What {@link Nodes} work with. */
export interface NodesParts {
  readonly emscripten: Emscripten
  readonly disk: MountedDisk
  readonly folders: Folders
  readonly locks: LockCalls
  readonly streams: Streams
}

/** Names on the disk, and what Emscripten does with them. */
export class Nodes {
  readonly #emscripten: Emscripten
  readonly #disk: MountedDisk
  readonly #calls: HostCalls
  readonly #folders: Folders
  readonly #streams: Streams
  readonly #operations: object

  constructor({ emscripten, disk, folders, locks, streams }: NodesParts) {
    this.#emscripten = emscripten
    this.#disk = disk
    this.#calls = disk.calls
    this.#folders = folders
    this.#streams = streams
    this.#operations = {
      getattr: (node: FileNode) => attributesOf(node, this.#calls),
      setattr: (node: FileNode, attributes: NewAttributes) => this.#setAttributes(node, attributes),
      lookup: (parent: FileNode, name: string) => this.#lookup(parent, name),
      mknod: (parent: FileNode, name: string, mode: number) => this.#make(parent, name, mode),
      rename: (node: FileNode, folder: FileNode, name: string) => this.#rename(node, folder, name),
      unlink: (parent: FileNode, name: string) => {
        locks.refuseLost(`${place(parent).real}/${name}`)
        this.#disk.change(parent, name, fs.unlinkSync)
      },
      rmdir: (parent: FileNode, name: string) =>
        this.#disk.change(parent, name, (path) => folders.remove(path)),
      readdir: (node: FileNode) => folders.list(node),
      symlink: (parent: FileNode, name: string, target: string) => {
        this.#disk.change(parent, name, (path) => fs.symlinkSync(toHost(target), path))
        return this.#lookup(parent, name)
      },
      readlink: (node: FileNode) =>
        this.#calls.run(() => fromHost(fs.readlinkSync(toHost(place(node).real), 'buffer'))),
      // `root` is the option of a mounted folder. A file that is mounted by itself has none.
      statfs: (root: string | undefined) => {
        if (root === undefined) return {}
        const status = this.#calls.run(() => fs.statfsSync(root))
        return { ...status, frsize: status.bsize }
      },
    }
  }

  /** Makes an Emscripten node one of the disk. */
  adopt(node: FileNode, host: HostPlace): FileNode {
    node.host = host
    node.node_ops = this.#operations
    node.stream_ops = this.#streams.operations
    return node
  }

  /** A new node for a name in a folder. */
  create(parent: FileNode, name: string, mode: number): FileNode {
    const { path, real, readOnly } = place(parent)
    const node = new this.#emscripten.FS.FSNode(parent, name, permitted(mode), 0)
    return this.adopt(node, { path: `${path}/${name}`, real: `${real}/${name}`, readOnly })
  }

  /** A node for a name in a folder, which has just been looked at. */
  seen(parent: FileNode, name: string, status: fs.BigIntStats): FileNode {
    const node = this.create(parent, name, Number(status.mode))
    node.seen = status
    return node
  }

  #lookup(parent: FileNode, name: string): FileNode {
    const { path, real } = place(parent)
    const { mountPoints } = this.#disk
    const mountPoint = mountPoints.size === 0 ? undefined : mountPoints.get(`${path}/${name}`)
    if (mountPoint !== undefined) return mountPoint
    const status = this.#calls.run(() => fs.lstatSync(toHost(`${real}/${name}`), STAT_OR_NOTHING))
    if (status === undefined) throw this.#calls.error('ENOENT')
    return this.seen(parent, name, status)
  }

  #make(parent: FileNode, name: string, mode: number): FileNode {
    const type = mode & FILE_TYPE
    if (type === IS_FOLDER)
      this.#disk.change(parent, name, (path) => fs.mkdirSync(path, mode & 0o7777))
    else if (type === IS_FILE)
      this.#disk.change(parent, name, (path) =>
        fs.closeSync(fs.openSync(path, 'wx', mode & 0o7777)),
      )
    else throw this.#calls.error('EPERM')
    return this.#lookup(parent, name)
  }

  #rename(node: FileNode, folder: FileNode, name: string): void {
    if (place(node.parent).readOnly || place(folder).readOnly) throw this.#calls.error('EROFS')
    if (isFolder(node.mode)) this.#folders.prepareChange()
    this.#disk.within(node.parent, node.name, (from) =>
      this.#disk.within(folder, name, (to) => fs.renameSync(from, to)),
    )
    node.name = name
  }

  #setAttributes(node: FileNode, attributes: NewAttributes): void {
    // Linux cannot change a link's mode either.
    if (attributes.mode !== undefined && attributes.dontFollow && isLink(node.mode))
      throw this.#calls.error('EOPNOTSUPP')
    this.#disk.onItself(node, (host) => {
      if (attributes.mode !== undefined) fs.chmodSync(host.path, attributes.mode & 0o7777)
      if (attributes.size !== undefined) fs.truncateSync(host.path, attributes.size)
      const times = timesOf(attributes, () => (host.link ? fs.lstatSync : fs.statSync)(host.path))
      if (times !== null) (host.link ? fs.lutimesSync : fs.utimesSync)(host.path, ...times)
    })
  }
}

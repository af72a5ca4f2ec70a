import * as fs from 'node:fs'
import { type FileNode, type FileStream, isLink, place } from './emscripten.ts'
import type { HostCalls } from './host-calls.ts'
import { isWithin } from './mounts.ts'
import { fromHost, type HostPath, toHost } from './path-bytes.ts'

/** Linux: a descriptor that only names a file. It is not among Node's constants. */
const O_PATH = 0o10000000
/** Linux: one link for each open descriptor of this process. */
export const DESCRIPTORS = '/proc/self/fd'
/** Whether the path of an open descriptor can be read. */
export const VERIFIABLE = process.platform === 'linux' && fs.existsSync(DESCRIPTORS)

/** A mounted folder. */
export interface MountRoot {
  readonly root: FileNode
  /** The path in the interpreter, with a slash at the end. */
  readonly path: string
  /** The path on the disk, with a slash at the end. */
  readonly real: string
}

/**
 * Which parts of the disk are mounted, and how to change something there without being led out of
 * them.
 *
 * Between a lookup and the use of a path, another process can replace a folder with a link. On
 * Linux, a file or folder is therefore opened first and its real path read from /proc/self/fd;
 * changes go through that descriptor.
 */
export class MountedDisk {
  readonly calls: HostCalls
  /** Inner folders before outer ones: a path belongs to the first that contains it. */
  readonly roots: MountRoot[] = []
  /**
   * The nodes that carry a mount inside another mount, by the interpreter's path. All other nodes
   * of the disk are made by each lookup and forgotten.
   */
  readonly mountPoints = new Map<string, FileNode>()
  readonly #places: { readonly real: string; readonly readOnly: boolean }[] = []

  constructor(calls: HostCalls) {
    this.calls = calls
  }

  /** Adds a mount by its path on the disk. */
  add(real: string, readOnly: boolean): void {
    this.#places.push({ real, readOnly })
  }

  /** Whether a path on the disk is in a mount. */
  contains(real: string): boolean {
    return this.#places.some((mount) => isWithin(real, mount.real))
  }

  /**
   * Whether a path on the disk is read-only. The innermost mount that contains it decides, whatever
   * path led there. If a folder is mounted at several paths with different rights, each of those
   * paths has its own, and the answer here is false.
   */
  isReadOnly(real: string): boolean {
    let innermost = -1
    let readOnly = false
    for (const mount of this.#places) {
      if (mount.real.length < innermost || !isWithin(real, mount.real)) continue
      readOnly = mount.readOnly && (mount.real.length > innermost || readOnly)
      innermost = mount.real.length
    }
    return readOnly
  }

  /** Throws EROFS unless the file of a stream may be changed. */
  refuseReadOnly(stream: FileStream): void {
    const { host } = stream.node
    if (host === undefined) return
    const real = VERIFIABLE ? this.#pathOf(stream.nfd as number) : host.real
    if (host.readOnly || this.isReadOnly(real)) throw this.calls.error('EROFS')
  }

  /** Changes what a folder has under a name. */
  change(parent: FileNode, name: string, change: (path: HostPath) => void): void {
    if (place(parent).readOnly) throw this.calls.error('EROFS')
    this.within(parent, name, change)
  }

  /**
   * Calls `use` with a path of `name`, which it may change. The folder is held open during the
   * call, and is known to be the one that was looked up.
   */
  within<T>(parent: FileNode, name: string, use: (path: HostPath) => T): T {
    const { real } = place(parent)
    if (!VERIFIABLE) {
      this.#refuseChange(`${real}/${name}`)
      return this.calls.run(() => use(toHost(`${real}/${name}`)))
    }
    const folder = this.calls.run(() =>
      fs.openSync(toHost(real), O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW),
    )
    try {
      this.#refuseChange(`${this.verify(folder, real)}/${name}`)
      return this.calls.run(() => use(toHost(`${DESCRIPTORS}/${folder}/${name}`)))
    } finally {
      fs.closeSync(folder)
    }
  }

  /**
   * Calls `use` with a path of the node's own file, verified in the same way. `link` is true if the
   * path is that of a link, which must not be followed.
   */
  onItself(node: FileNode, use: (host: { path: HostPath; link: boolean }) => void): void {
    const { real, readOnly } = place(node)
    if (readOnly) throw this.calls.error('EROFS')
    const link = isLink(node.mode)
    if (!VERIFIABLE) {
      if (this.isReadOnly(real)) throw this.calls.error('EROFS')
      return this.calls.run(() => use({ path: toHost(real), link }))
    }
    if (link) return this.within(node.parent, node.name, (path) => use({ path, link }))
    const descriptor = this.calls.run(() =>
      fs.openSync(toHost(real), O_PATH | fs.constants.O_NOFOLLOW),
    )
    try {
      if (this.isReadOnly(this.verify(descriptor, real))) throw this.calls.error('EROFS')
      this.calls.run(() => use({ path: `${DESCRIPTORS}/${descriptor}`, link }))
    } finally {
      fs.closeSync(descriptor)
    }
  }

  /**
   * The path on the disk of something that was opened. Throws EACCES if it is outside all mounts:
   * then a folder of its path was replaced with a link after the lookup.
   */
  verify(descriptor: number, expected: string): string {
    if (!VERIFIABLE) return expected
    const path = this.#pathOf(descriptor)
    if (path !== expected && !this.roots.some(({ real }) => isWithin(`${path}/`, real)))
      throw this.calls.error('EACCES')
    return path
  }

  #pathOf(descriptor: number): string {
    const path = this.calls.run(() =>
      fromHost(fs.readlinkSync(`${DESCRIPTORS}/${descriptor}`, 'buffer')),
    )
    return path.endsWith(' (deleted)') ? path.slice(0, -' (deleted)'.length) : path
  }

  /**
   * Throws EBUSY for a mount and for a folder that contains one: moved, it would have other rights.
   * Throws EROFS if the path is read-only.
   */
  #refuseChange(real: string): void {
    if (this.#places.some((mount) => isWithin(mount.real, real))) throw this.calls.error('EBUSY')
    if (this.isReadOnly(real)) throw this.calls.error('EROFS')
  }
}

import * as fs from 'node:fs'
import { STAT_OR_NOTHING } from './attributes.ts'
import {
  type Emscripten,
  type Found,
  IS_FOLDER,
  isLink,
  type LookupOptions,
  permitted,
  place,
} from './emscripten.ts'
import type { MountedDisk } from './mounted-disk.ts'
import type { Nodes } from './nodes.ts'
import { toHost } from './path-bytes.ts'

/** Matches a path that must be normalised first: it has an empty name, `.` or `..`. */
const UNRESOLVED = /\/\.{0,2}\//

/**
 * A short cut for Emscripten's `FS.lookupPath`, which looks at every folder of a path separately.
 * That is most of the time of a `stat`.
 */
export class PathLookup {
  readonly #emscripten: Emscripten
  readonly #disk: MountedDisk
  readonly #nodes: Nodes

  constructor(emscripten: Emscripten, disk: MountedDisk, nodes: Nodes) {
    this.#emscripten = emscripten
    this.#disk = disk
    this.#nodes = nodes
  }

  /**
   * Looks up a path that a single look at the disk resolves.
   *
   * @returns null for a path that Emscripten must look up: one that is not on the disk, contains
   * `..` or a link, leads to a mount, or whose folder is missing
   */
  find(path: string, options: LookupOptions): Found | null {
    const mount = this.#disk.roots.find((one) => path.startsWith(one.path))
    if (mount === undefined) return null
    const rest = path.slice(mount.path.length)
    const end = rest.lastIndexOf('/')
    const name = rest.slice(end + 1)
    // The short cut is faster only with three or more names.
    if (end < 0 || rest.indexOf('/') === end || name === '' || UNRESOLVED.test(`/${rest}/`))
      return null
    const folder = rest.slice(0, end)
    const real = `${mount.real}${folder}`
    if (!hasNoLinks(real)) return null
    const parent = new this.#emscripten.FS.FSNode(mount.root, folder, permitted(IS_FOLDER), 0)
    const { readOnly } = place(mount.root)
    this.#nodes.adopt(parent, { path: `${mount.path}${folder}`, real, readOnly })
    if (options.parent === true) return { path: place(parent).path, node: parent }
    const inside = `${mount.path}${rest}`
    if (this.#disk.mountPoints.has(inside)) return null
    const outside = `${real}/${name}`
    const { calls } = this.#disk
    const status = calls.run(() => fs.lstatSync(toHost(outside), STAT_OR_NOTHING))
    if (status === undefined) {
      if (options.noent_okay === true) return { path: inside, node: undefined }
      throw calls.error('ENOENT')
    }
    const node = this.#nodes.seen(parent, name, status)
    if (options.follow === true && isLink(node.mode)) return null
    return { path: inside, node }
  }
}

/** Whether a folder exists and no part of its path is a link. */
function hasNoLinks(folder: string): boolean {
  try {
    return fs.realpathSync.native(folder) === folder
  } catch {
    return false
  }
}

import * as fs from 'node:fs'
import { claimedName, isClaimLink } from '../locks/claim-links.ts'
import type { FileLocks } from '../locks/file-locks.ts'
import { Attributes, STAT, STAT_OR_NOTHING } from './attributes.ts'
import {
  type Emscripten,
  type FileNode,
  type FileStream,
  type FolderEntry,
  isErrnoError,
  isFolder,
  isHostNode,
  place,
} from './emscripten.ts'
import type { HostCalls } from './host-calls.ts'
import { DESCRIPTORS, VERIFIABLE } from './mounted-disk.ts'
import { fromHost, type HostPath, joined, toHost } from './path-bytes.ts'

/** The size of Emscripten's struct dirent, in bytes. */
const DIRENT_SIZE = 280
/**
 * In bytes: `d_name` is an array of 256 characters. Some file systems (VFAT, APFS, FUSE) allow
 * longer names.
 */
const LONGEST_NAME = 255
/** The type of a folder in a struct dirent. */
const FOLDER_TYPE = 4

/**
 * What folders contain. The links that claim files (`locks/claim-links.ts`) are hidden: they come
 * and go and lead nowhere, so a program that copies or archives a folder would stumble over them.
 */
export class Folders {
  readonly #emscripten: Emscripten
  readonly #calls: HostCalls
  readonly #locks: FileLocks | null

  constructor(emscripten: Emscripten, calls: HostCalls, locks: FileLocks | null) {
    this.#emscripten = emscripten
    this.#calls = calls
    this.#locks = locks
  }

  /** The names in a folder, for Emscripten's `readdir`. */
  list(node: FileNode): string[] {
    return ['.', '..', ...this.#names(toHost(place(node).real)).map(fromHost)]
  }

  /**
   * Writes entries of an open folder to the interpreter's memory, as many as `size` bytes hold.
   *
   * Emscripten's own `getdents` looks up every name again, fails if one of them is gone by then,
   * and invents inode numbers.
   *
   * @returns the number of bytes written; `undefined` leaves the call to Emscripten
   */
  getdents(fd: number, at: number, size: number): number | undefined {
    const stream = this.#emscripten.FS.getStream(fd)
    if (stream?.nfd === undefined || !isFolder(stream.node.mode)) return undefined
    stream.getdents ??= this.#entries(stream)
    const entries = stream.getdents
    let index = Math.floor(stream.position / DIRENT_SIZE)
    let pointer = at
    while (index < entries.length && pointer + DIRENT_SIZE <= at + size) {
      const { name, inode, type } = entries[index] as FolderEntry
      const { HEAPU8, HEAP16, HEAP64 } = this.#emscripten
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

  /**
   * Removes a folder. Hidden links must not prevent that: claims on files that no longer exist,
   * regardless of who left them. (Without a file there is nothing to lock.)
   */
  remove(path: HostPath): void {
    this.prepareChange()
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

  /** Removes this process's unused claims, before a folder that may contain them is moved. */
  prepareChange(): void {
    this.#locks?.settle()
  }

  #entries(stream: FileStream): FolderEntry[] {
    const { path, real } = place(stream.node)
    const folder = VERIFIABLE ? `${DESCRIPTORS}/${stream.nfd}` : toHost(real)
    const itself = this.#calls.run(() => fs.fstatSync(stream.nfd as number, STAT))
    const above = this.#inodeAbove(path) ?? itself.ino
    const entries: FolderEntry[] = [
      { name: Buffer.from('.'), inode: itself.ino, type: FOLDER_TYPE },
      { name: Buffer.from('..'), inode: above, type: FOLDER_TYPE },
    ]
    for (const name of this.#names(folder)) {
      // Python's buffer has space for the longest name of most file systems, and no more.
      if (name.length > LONGEST_NAME) continue
      const status = this.#calls.run(() => fs.lstatSync(joined(folder, name), STAT_OR_NOTHING))
      // Without a status it was deleted after it was listed.
      if (status !== undefined)
        entries.push({ name, inode: status.ino, type: Number(status.mode & 0o170000n) >>> 12 })
    }
    return entries
  }

  /**
   * The inode of the folder that contains a folder; null if it is not on the disk or cannot be
   * seen, for example because the folder was moved.
   */
  #inodeAbove(path: string): bigint | null {
    try {
      const parent = this.#emscripten.FS.lookupPath(`${path}/..`).node
      if (parent === undefined || !isHostNode(parent)) return null
      return attributesOf(parent, this.#calls).exact.ino
    } catch (error) {
      if (isErrnoError(error)) return null
      throw error
    }
  }

  #names(folder: HostPath): Buffer[] {
    const names = this.#calls.run(() => fs.readdirSync(folder, 'buffer'))
    return this.#locks === null
      ? names
      : names.filter((name) => !isClaimLink(joined(folder, name), name))
  }
}

/** A node's `stat`: what its lookup has just seen, or a new one. */
export function attributesOf(node: FileNode, calls: HostCalls): Attributes {
  const { seen } = node
  node.seen = undefined
  return new Attributes(seen ?? calls.run(() => fs.lstatSync(toHost(place(node).real), STAT)))
}

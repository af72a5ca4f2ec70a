import * as fs from 'node:fs'
import { HEADER_BYTES, isLogged } from '../system/sqlite-log.ts'
import {
  ACCESS,
  APPEND,
  CREATE,
  DIRECTORY,
  type Emscripten,
  EXCLUSIVE,
  FILE_TYPE,
  type FileNode,
  type FileStream,
  IS_FILE,
  IS_FOLDER,
  IS_LINK,
  isHostNode,
  NO_FOLLOW,
  place,
  READ_AND_WRITE,
  SYNCHRONOUS,
  TRUNCATE,
} from './emscripten.ts'
import type { HostCalls } from './host-calls.ts'
import type { MountedDisk } from './mounted-disk.ts'
import type { Nodes } from './nodes.ts'
import { toHost } from './path-bytes.ts'
import type { Streams } from './streams.ts'

/** The flags of the modes that JavaScript code of Emscripten opens files with. */
const MODES: Readonly<Record<string, number>> = {
  r: 0,
  'r+': 2,
  w: 577,
  'w+': 578,
  a: 1089,
  'a+': 1090,
}

/** What a {@link FileOpener} works with. */
export interface FileOpenerParts {
  readonly emscripten: Emscripten
  readonly disk: MountedDisk
  readonly nodes: Nodes
  readonly streams: Streams
  readonly notice: (text: string) => void
}

/** Opens files of the disk in one step, so that O_EXCL and O_APPEND are atomic. */
export class FileOpener {
  readonly #emscripten: Emscripten
  readonly #disk: MountedDisk
  readonly #calls: HostCalls
  readonly #nodes: Nodes
  readonly #streams: Streams
  readonly #notice: (text: string) => void
  readonly #noticed = new Set<string>()

  constructor({ emscripten, disk, nodes, streams, notice }: FileOpenerParts) {
    this.#emscripten = emscripten
    this.#disk = disk
    this.#calls = disk.calls
    this.#nodes = nodes
    this.#streams = streams
    this.#notice = notice
  }

  /** `FS.open` for a path on the disk; null if the path is not on the disk. */
  open(path: string, modeOrFlags: number | string, mode: number): FileStream | null {
    const flags = typeof modeOrFlags === 'string' ? MODES[modeOrFlags] : modeOrFlags
    if (flags === undefined || path === '') return null
    const files = this.#emscripten.FS
    const exclusive = (flags & (CREATE | EXCLUSIVE)) === (CREATE | EXCLUSIVE)
    const found = files.lookupPath(path, {
      follow: (flags & NO_FOLLOW) === 0 && !exclusive,
      noent_okay: true,
    })
    if (found.node !== undefined) {
      if (!isHostNode(found.node)) return null
      if (exclusive) throw this.#calls.error('EEXIST')
      return this.#openNode(found.node, flags, path.endsWith('/'))
    }
    const parent = files.lookupPath(found.path, { parent: true }).node
    if (parent === undefined || !isHostNode(parent)) return null
    if ((flags & CREATE) === 0) throw this.#calls.error('ENOENT')
    if (path.endsWith('/')) throw this.#calls.error('EISDIR')
    return this.#create(parent, found.path.slice(found.path.lastIndexOf('/') + 1), flags, mode)
  }

  #openNode(node: FileNode, flags: number, asFolder: boolean): FileStream {
    const { real, readOnly } = place(node)
    const type = node.mode & FILE_TYPE
    const writes = (flags & ACCESS) !== 0 || (flags & TRUNCATE) !== 0
    if (type === IS_LINK) throw this.#calls.error('ELOOP')
    if (type !== IS_FOLDER && ((flags & DIRECTORY) !== 0 || asFolder))
      throw this.#calls.error('ENOTDIR')
    if (type === IS_FOLDER && (writes || (flags & CREATE) !== 0)) throw this.#calls.error('EISDIR')
    // A FIFO would block the thread in a call that nothing can end, and devices are not the
    // application's files.
    if (type !== IS_FOLDER && type !== IS_FILE) throw this.#calls.error('ENXIO')
    if (writes && readOnly) throw this.#calls.error('EROFS')
    const nfd = this.#calls.run(() =>
      fs.openSync(toHost(real), hostFlags(flags & ~(CREATE | EXCLUSIVE))),
    )
    const stream = this.#opened(node, flags, nfd)
    // SQLite opens its databases like this, and hardly anything else does.
    if (type === IS_FILE && (flags & ACCESS) === READ_AND_WRITE) this.#explainLog(stream)
    return stream
  }

  /** Explains why a database cannot be used: SQLite reports only "unable to open database file". */
  #explainLog(stream: FileStream): void {
    const header = Buffer.allocUnsafe(HEADER_BYTES)
    let read = 0
    try {
      read = fs.readSync(stream.nfd as number, header, 0, HEADER_BYTES, 0)
    } catch {
      // The application gets the error when it reads the file.
    }
    if (read < HEADER_BYTES || !isLogged(header)) return
    const text =
      `${stream.path} is an SQLite database with a write-ahead log (journal_mode=WAL). ` +
      'The log needs memory that several interpreters share, which embedded interpreters cannot ' +
      'have, so SQLite cannot open the database. Convert it first, while nothing uses it: ' +
      'PRAGMA locking_mode=EXCLUSIVE, then PRAGMA journal_mode=DELETE'
    if (this.#noticed.has(text)) return
    this.#noticed.add(text)
    this.#notice(text)
  }

  #create(parent: FileNode, name: string, flags: number, mode: number): FileStream {
    if (place(parent).readOnly) throw this.#calls.error('EROFS')
    const nfd = this.#disk.within(parent, name, (host) =>
      fs.openSync(host, hostFlags(flags), mode & 0o7777),
    )
    return this.#opened(this.#nodes.create(parent, name, IS_FILE), flags, nfd)
  }

  #opened(node: FileNode, flags: number, nfd: number): FileStream {
    const { path, real } = place(node)
    try {
      const found = this.#disk.verify(nfd, real)
      const writes = (flags & ACCESS) !== 0 || (flags & TRUNCATE) !== 0
      if (writes && this.#disk.isReadOnly(found)) throw this.#calls.error('EROFS')
      // Truncate only after the file is known to be the right one.
      if ((flags & TRUNCATE) !== 0) this.#calls.run(() => fs.ftruncateSync(nfd, 0))
      const kept = flags & ~(CREATE | EXCLUSIVE | TRUNCATE | NO_FOLLOW)
      return this.#streams.create(node, path, kept, nfd)
    } catch (error) {
      fs.closeSync(nfd)
      throw error
    }
  }
}

/**
 * The host's flags for Emscripten's. They never truncate, which happens only when the file is known
 * to be the right one, and never wait for a FIFO that has replaced the file.
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

import type { BigIntStats } from 'node:fs'
import type { FileIdentity } from '../locks/file-identity.ts'

/** The parts of Emscripten's module that the file system uses. */
export interface Emscripten {
  readonly FS: EmscriptenFiles
  readonly SYSCALLS: {
    getStr(pointer: number): string
    calculateAt(fd: number, path: string, allowEmpty?: boolean): string
    writeStat(pointer: number, status: object): number
  }
  readonly ERRNO_CODES: Readonly<Record<string, number>>
  /** The views of memory are replaced when the memory grows, so never keep one. */
  readonly HEAP8: Int8Array
  readonly HEAPU8: Uint8Array
  readonly HEAP16: Int16Array
  readonly HEAP32: Int32Array
  readonly HEAPU32: Uint32Array
  readonly HEAP64: BigInt64Array
  mmapAlloc(size: number): number
}

/** The parts of Emscripten's `FS` that the file system uses. */
export interface EmscriptenFiles {
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

export interface LookupOptions {
  /** Follow a link at the end of the path. */
  follow?: boolean
  /** Look up the folder that contains the last name. */
  parent?: boolean
  /** The last name may be missing; the result then has no node. */
  noent_okay?: boolean
  /** Enter a mount at the end of the path. Defaults to true. */
  follow_mount?: boolean
}

export interface Found {
  /** All links are followed. */
  path: string
  node: FileNode | undefined
}

export interface ErrnoError {
  readonly name: 'ErrnoError'
  readonly errno: number
}

export interface FileNode {
  parent: FileNode
  name: string
  mode: number
  mounted: { root: FileNode } | null
  contents?: Record<string, FileNode>
  node_ops: object
  stream_ops: object
  mount: object
  /** Added by us: where the node is. Only nodes on the host's disk have it. */
  host?: HostPlace
  /** Added by us: the `stat` of the lookup that made the node, for the next call only. */
  seen?: BigIntStats | undefined
}

/** Where a node is. */
export interface HostPlace {
  /** The path in the interpreter. It may contain bytes that are not UTF-8, see `toHost`. */
  readonly path: string
  /** The path on the disk. Links are resolved as far as the mount's folder. */
  readonly real: string
  readonly readOnly: boolean
}

export interface FileStream {
  fd: number
  node: FileNode
  path: string
  flags: number
  position: number
  seekable: boolean
  stream_ops: object
  ungotten: unknown[]
  error: boolean
  /** Shared with the stream's duplicates. */
  shared: { refcount?: number }
  getdents?: FolderEntry[] | null
  /** The process's file descriptor, if the file is on the disk. */
  nfd?: number
  /** The caller of `HostFiles.adopt` closes the file descriptor. */
  adopted?: boolean
  identity?: FileIdentity
}

/** What `getdents` returns about one name. */
export interface FolderEntry {
  readonly name: Buffer
  readonly inode: bigint
  readonly type: number
}

/** The attributes that a call changes. */
export interface NewAttributes {
  readonly mode?: number | undefined
  /** Milliseconds since 1970; null leaves the time unchanged. */
  readonly atime?: number | null
  readonly mtime?: number | null
  readonly size?: number
  /** Truthy if a link is not to be followed. Emscripten passes a flag of the system call. */
  readonly dontFollow?: unknown
}

// The flags of open(2) in Emscripten. They are those of Linux, whatever the host is.
export const ACCESS = 0o3
export const READ_AND_WRITE = 0o2
export const CREATE = 0o100
export const EXCLUSIVE = 0o200
export const TRUNCATE = 0o1000
export const APPEND = 0o2000
export const SYNCHRONOUS = 0o4010000
export const DIRECTORY = 0o200000
export const NO_FOLLOW = 0o400000

// The file types in a mode.
export const FILE_TYPE = 0o170000
export const IS_FOLDER = 0o040000
export const IS_FILE = 0o100000
export const IS_LINK = 0o120000

export function isFolder(mode: number): boolean {
  return (mode & FILE_TYPE) === IS_FOLDER
}

export function isFile(mode: number): boolean {
  return (mode & FILE_TYPE) === IS_FILE
}

export function isLink(mode: number): boolean {
  return (mode & FILE_TYPE) === IS_LINK
}

/**
 * A node's mode: its file type, and permission for everything. The host decides what is permitted;
 * Emscripten would look only at the bits.
 */
export function permitted(mode: number): number {
  return (mode & FILE_TYPE) | 0o777
}

/** Whether a node is on the host's disk, and not in the interpreter's memory. */
export function isHostNode(node: FileNode): boolean {
  return node.host !== undefined
}

/** Where a node of the disk is. */
export function place(node: FileNode): HostPlace {
  return node.host as HostPlace
}

export function isErrnoError(error: unknown): error is ErrnoError {
  return (
    (error as { name?: unknown } | null)?.name === 'ErrnoError' &&
    typeof (error as ErrnoError).errno === 'number'
  )
}

import * as fs from 'node:fs'
import { Attributes, STAT, timesOf } from './attributes.ts'
import {
  ACCESS,
  APPEND,
  type Emscripten,
  type FileNode,
  type FileStream,
  isFile,
  isFolder,
  type NewAttributes,
  permitted,
} from './emscripten.ts'
import type { HostCalls } from './host-calls.ts'
import type { LockCalls } from './lock-calls.ts'
import { DESCRIPTORS, type MountedDisk } from './mounted-disk.ts'

/** Open files of the disk, and what Emscripten does with them. */
export class Streams {
  /** Emscripten's `stream_ops`. */
  readonly operations: object
  readonly #emscripten: Emscripten
  readonly #disk: MountedDisk
  readonly #calls: HostCalls
  readonly #locks: LockCalls

  constructor(emscripten: Emscripten, disk: MountedDisk, locks: LockCalls) {
    this.#emscripten = emscripten
    this.#disk = disk
    this.#calls = disk.calls
    this.#locks = locks
    this.operations = {
      getattr: (stream: FileStream) =>
        new Attributes(this.#calls.run(() => fs.fstatSync(stream.nfd as number, STAT))),
      setattr: (stream: FileStream, attributes: NewAttributes) =>
        this.#setAttributes(stream, attributes),
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
          : this.#calls.run(() =>
              fs.readSync(stream.nfd as number, buffer, offset, length, position),
            ),
      write: (
        stream: FileStream,
        buffer: Int8Array,
        offset: number,
        length: number,
        position: number,
      ) => {
        if (length === 0) return 0
        this.#locks.refuseLost(stream.node.host?.real)
        // The kernel finds the end when it appends: another process may have appended since.
        const at = (stream.flags & APPEND) !== 0 ? null : position
        return this.#calls.run(() => fs.writeSync(stream.nfd as number, buffer, offset, length, at))
      },
      llseek: (stream: FileStream, offset: number, whence: number) =>
        this.#seek(stream, offset, whence),
      fsync: (stream: FileStream) => {
        this.#calls.run(() => fs.fsyncSync(stream.nfd as number))
        return 0
      },
      mmap: (stream: FileStream, length: number, position: number) =>
        this.#map(stream, length, position),
      msync: (stream: FileStream, buffer: Uint8Array, offset: number, length: number) =>
        this.#writeMapping(stream, buffer, offset, length),
    }
  }

  /** Makes a stream for a file that was opened. */
  create(node: FileNode, path: string, flags: number, nfd: number): FileStream {
    const stream = this.#emscripten.FS.createStream({
      node,
      path,
      flags,
      position: 0,
      seekable: true,
      stream_ops: this.operations,
      ungotten: [],
      error: false,
      nfd,
    })
    stream.shared.refcount = 1
    return stream
  }

  /** See `HostFiles.adopt`. */
  adopt(descriptor: number, flags: number): number {
    const status = this.#calls.run(() => fs.fstatSync(descriptor, STAT))
    // A node without a parent stands for itself. It has no name, because its file may have none.
    const node = new this.#emscripten.FS.FSNode(null, '', permitted(Number(status.mode)), 0)
    node.stream_ops = this.operations
    const stream = this.create(node, `${DESCRIPTORS}/${descriptor}`, flags & ACCESS, descriptor)
    stream.adopted = true
    return stream.fd
  }

  #close(stream: FileStream): void {
    const left = (stream.shared.refcount as number) - 1
    stream.shared.refcount = left
    this.#locks.closing(stream, left === 0)
    if (left === 0 && stream.adopted !== true)
      this.#calls.run(() => fs.closeSync(stream.nfd as number))
  }

  #seek(stream: FileStream, offset: number, whence: number): number {
    let position = offset
    if (whence === 1) position += stream.position
    else if (whence === 2 && !isFolder(stream.node.mode)) {
      position += this.#calls.run(() => fs.fstatSync(stream.nfd as number).size)
    }
    if (position < 0) throw this.#calls.error('EINVAL')
    return position
  }

  #setAttributes(stream: FileStream, attributes: NewAttributes): void {
    const nfd = stream.nfd as number
    this.#disk.refuseReadOnly(stream)
    this.#locks.refuseLost(stream.node.host?.real)
    this.#calls.run(() => {
      if (attributes.mode !== undefined) fs.fchmodSync(nfd, attributes.mode & 0o7777)
      if (attributes.size !== undefined) fs.ftruncateSync(nfd, attributes.size)
      const times = timesOf(attributes, () => fs.fstatSync(nfd))
      if (times !== null) fs.futimesSync(nfd, ...times)
    })
  }

  /** A mapping is a copy in the interpreter's memory. */
  #map(stream: FileStream, length: number, position: number): object {
    if (!isFile(stream.node.mode)) throw this.#calls.error('ENODEV')
    const pointer = this.#emscripten.mmapAlloc(length)
    if (pointer === 0) throw this.#calls.error('ENOMEM')
    // The allocation may have replaced the views of memory.
    const memory = this.#emscripten.HEAP8
    for (let done = 0; done < length; ) {
      const read = this.#calls.run(() =>
        fs.readSync(stream.nfd as number, memory, pointer + done, length - done, position + done),
      )
      if (read === 0) break
      done += read
    }
    return { ptr: pointer, allocated: true }
  }

  /** Writes a shared mapping back. */
  #writeMapping(stream: FileStream, buffer: Uint8Array, offset: number, length: number): number {
    // Bytes past the end of the file are lost, even if the end was elsewhere before.
    const size = this.#calls.run(() => fs.fstatSync(stream.nfd as number).size)
    const end = Math.min(length, size - offset)
    for (let done = 0; done < end; ) {
      done += this.#calls.run(() =>
        fs.writeSync(stream.nfd as number, buffer, done, end - done, offset + done),
      )
    }
    return 0
  }
}

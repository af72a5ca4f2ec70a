/**
 * The memory that large reads of all sockets lie in until they have been handled. It is used again
 * for the next read, so whoever keeps a view of it for longer than a call keeps a copy instead.
 *
 * An allocation of its own for each read was a sixth of the processor time of an upload of 10 KB,
 * most of it in the garbage collector.
 */
export const LENT_MEMORY = Buffer.allocUnsafeSlow(64 * 1024)

/** Heads of up to this size are copied beside each other. */
const SMALL = 4 * 1024
const SLAB = 16 * 1024

let slab = Buffer.allocUnsafeSlow(SLAB)
let used = 0

/** Whether the memory of these bytes is used again as soon as the current read is handled. */
export function isLent(bytes: Buffer): boolean {
  return bytes.buffer === LENT_MEMORY.buffer
}

/** Bytes to keep: the same ones, or a copy if they are lent. */
export function owned(bytes: Buffer): Buffer {
  if (!isLent(bytes)) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/**
 * A copy of the first `end` of these bytes. Small copies share memory, of which one that is kept
 * keeps 16 KiB.
 */
export function copyOfFirst(bytes: Buffer, end: number): Buffer {
  if (end > SMALL) return owned(bytes.subarray(0, end))
  if (used + end > SLAB) {
    slab = Buffer.allocUnsafeSlow(SLAB)
    used = 0
  }
  const copy = slab.subarray(used, used + end)
  used += end
  bytes.copy(copy, 0, 0, end)
  return copy
}

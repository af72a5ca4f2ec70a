/** Which file: the numbers that `stat` reports. */
export interface FileIdentity {
  readonly device: bigint
  readonly inode: bigint
}

/**
 * Locks of `flock` and locks of fcntl do not affect each other. Those of `flock` are kept as locks
 * on a file of another device.
 */
const FLOCK = 1n << 62n

/** The identity under which the locks that `flock` sets on a file are kept. */
export function flockIdentity({ device, inode }: FileIdentity): FileIdentity {
  return { device: device | FLOCK, inode }
}

/** The identity of the file itself, for either sort of lock. */
export function claimIdentity({ device, inode }: FileIdentity): FileIdentity {
  return { device: device & ~FLOCK, inode }
}

/** The identity under which the file's locks of the other sort are kept. */
export function otherIdentity({ device, inode }: FileIdentity): FileIdentity {
  return { device: device ^ FLOCK, inode }
}

/** An identity as a key of a map. */
export function keyOf({ device, inode }: FileIdentity): string {
  return `${device}:${inode}`
}

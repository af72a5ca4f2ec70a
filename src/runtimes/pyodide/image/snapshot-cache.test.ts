import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { identityText, processIdentity } from '../process-identity.ts'
import { cacheFolder } from './cache-folder.ts'
import { SnapshotCache } from './snapshot-cache.ts'
import { CacheError, occupied, releaseSnapshot } from './snapshot-file.ts'

const key = 'ab'.repeat(32)
let place: string
let cache: SnapshotCache

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'monoceros-cache-'))
  cache = new SnapshotCache(join(place, 'monoceros'))
})

afterEach(() => {
  rmSync(place, { recursive: true, force: true })
})

/** 300 KB, of which 64 KiB in the middle and the end are zero. */
function snapshot(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(300_000)
  const bytes = new Uint8Array(buffer)
  for (let at = 0; at < 290_000; at++) bytes[at] = at >= 65_536 && at < 131_072 ? 0 : (at % 251) + 1
  return buffer
}

async function store(into = cache, under = key): Promise<void> {
  const claim = await into.claim(under)
  await claim!.write(snapshot())
}

describe('the folder', () => {
  test('is what MONOCEROS_CACHE says, before anything else', () => {
    expect(
      cacheFolder({ MONOCEROS_CACHE: '/srv/cache', XDG_CACHE_HOME: '/x', HOME: '/home/me' }),
    ).toBe('/srv/cache')
    expect(cacheFolder({ MONOCEROS_CACHE: 'cache' }, '/work')).toBe('/work/cache')
    expect(cacheFolder({ MONOCEROS_CACHE: 'off', HOME: '/home/me' })).toBeNull()
  })

  test('is in XDG_CACHE_HOME if that is absolute, else in the home folder, else nowhere', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/x', HOME: '/home/me' })).toBe('/x/monoceros')
    expect(cacheFolder({ XDG_CACHE_HOME: 'x', HOME: '/home/me' })).toBe('/home/me/.cache/monoceros')
    expect(cacheFolder({ MONOCEROS_CACHE: '', HOME: '/home/me' })).toBe('/home/me/.cache/monoceros')
    expect(cacheFolder({})).toBeNull()
  })
})

describe('a snapshot', () => {
  test('is read as it was written, from a file that nobody else may open', async () => {
    expect([await cache.has(key), await cache.read(key)]).toEqual([false, null])
    await store()
    expect(await cache.has(key)).toBe(true)
    const read = (await cache.read(key))!
    expect(Buffer.compare(read, new Uint8Array(snapshot()))).toBe(0)
    releaseSnapshot(read)
    expect(read.buffer.byteLength).toBe(0)
    expect(statSync(cache.path(key)).mode & 0o777).toBe(0o600)
    expect(statSync(cache.folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(cache.folder)).toHaveLength(1)
  })

  test('takes no space for zeros', () => {
    expect(occupied(snapshot())).toEqual([
      [0, 65_536],
      [131_072, 300_000],
    ])
  })

  test('of another key is not there', async () => {
    await store()
    expect(await cache.read('cd'.repeat(32))).toBeNull()
  })

  test('under the name of another key is refused', async () => {
    await store()
    const other = 'cd'.repeat(32)
    renameSync(cache.path(key), cache.path(other))
    await expect(cache.read(other)).rejects.toThrow('it is damaged')
  })

  test.each([0, 7, 64, 200_000])('cut off at %i bytes is refused', async (size) => {
    await store()
    truncateSync(cache.path(key), size)
    await expect(cache.read(key)).rejects.toThrow(CacheError)
  })

  test.each([0, 9, 41, 49, 64, 150_000, 300_063])(
    'with another byte at %i is refused',
    async (at) => {
      await store()
      const bytes = readFileSync(cache.path(key))
      bytes[at] = bytes[at]! ^ 1
      writeFileSync(cache.path(key), bytes)
      await expect(cache.read(key)).rejects.toThrow('it is damaged')
    },
  )

  test('that others may read or write is refused', async () => {
    await store()
    chmodSync(cache.path(key), 0o644)
    await expect(cache.read(key)).rejects.toThrow('others may use it')
    await expect(cache.has(key)).rejects.toThrow('others may use it')
  })

  test('in a folder that others may write to is refused', async () => {
    await store()
    chmodSync(cache.folder, 0o777)
    await expect(cache.read(key)).rejects.toThrow('others may write to it')
    await expect(cache.claim(key)).rejects.toThrow('others may write to it')
  })

  test('behind a symbolic link is refused, and so is a folder behind one', async () => {
    await store()
    renameSync(cache.path(key), join(place, 'moved'))
    symlinkSync(join(place, 'moved'), cache.path(key))
    await expect(cache.read(key)).rejects.toThrow('symbolic link')
    const folder = new SnapshotCache(join(place, 'link'))
    symlinkSync(cache.folder, folder.folder)
    await expect(folder.read(key)).rejects.toThrow('not a folder')
  })

  test.runIf(process.geteuid?.() === 0)('of another user is refused', async () => {
    const { chownSync } = await import('node:fs')
    await store()
    chownSync(cache.path(key), 12345, 12345)
    await expect(cache.read(key)).rejects.toThrow('belongs to another user')
  })

  test('is not put into the home of another user', async () => {
    if (process.geteuid?.() !== 0) return
    const { chownSync } = await import('node:fs')
    chownSync(place, 12345, 12345)
    await expect(cache.claim(key)).rejects.toThrow(`${place} belongs to another user`)
    expect(readdirSync(place)).toEqual([])
  })
})

describe('the right to write', () => {
  test('is one process’s at a time', async () => {
    const first = await cache.claim(key)
    expect(await cache.claim(key)).toBeNull()
    await first!.release()
    const second = await cache.claim(key)
    expect(second).not.toBeNull()
    await second!.release()
    expect(readdirSync(cache.folder)).toEqual([])
  })

  test('passes on when its holder has been gone for long', async () => {
    const dead = await cache.claim(key)
    const past = new Date(Date.now() - 3_600_000)
    utimesSync(`${cache.path(key)}.claim`, past, past)
    const heir = await cache.claim(key)
    // It was only slow: it must not put the other one's unfinished file in place, nor remove it.
    await expect(dead!.write(snapshot())).rejects.toThrow('another process has taken over')
    expect(await cache.claim(key)).toBeNull()
    await heir!.write(snapshot())
    expect(await cache.read(key)).not.toBeNull()
  })

  const own = processIdentity()
  const ended = () => ({ ...own, pid: spawnSync(process.execPath, ['--version']).pid })

  test.each<[string, () => string, number]>([
    ['is no more', () => identityText(ended()), 0],
    // In a container the same program has the same number each time.
    [
      'had the number that another process has now',
      () => identityText({ ...own, start: 'zzz' }),
      0,
    ],
    ['was killed before it said who it is', () => '', 3_000],
    ['was killed in the middle of that', () => `${process.pid}@12`, 3_000],
    [
      'is in another container, and stuck',
      () => identityText({ ...own, namespace: 'zzz' }),
      121_000,
    ],
    [
      'is by a clock that is ahead, and stuck',
      () => identityText({ ...own, boot: 'zzz' }),
      -121_000,
    ],
  ])('passes on when its holder %s', async (_, text, age) => {
    mkdirSync(cache.folder, { mode: 0o700 })
    const path = `${cache.path(key)}.claim`
    writeFileSync(path, text(), { mode: 0o600 })
    const then = new Date(Date.now() - age)
    utimesSync(path, then, then)
    await store()
    expect(await cache.read(key)).not.toBeNull()
    expect(readdirSync(cache.folder)).toHaveLength(1)
  })

  test.each<[string, () => string]>([
    ['has just been given', () => ''],
    ['is of a process in another container', () => identityText({ ...own, namespace: 'zzz' })],
  ])('stays where it is when it %s', async (_, text) => {
    mkdirSync(cache.folder, { mode: 0o700 })
    writeFileSync(`${cache.path(key)}.claim`, text(), { mode: 0o600 })
    expect(await cache.claim(key)).toBeNull()
  })

  test.each([
    ['a folder', (path: string) => mkdirSync(join(path, 'in'), { recursive: true })],
    ['a link to nothing', (path: string) => symlinkSync('/nowhere', path)],
  ])('is not hindered by %s of its name', async (_, make) => {
    mkdirSync(cache.folder, { mode: 0o700 })
    make(`${cache.path(key)}.claim`)
    await store()
    expect(await cache.read(key)).not.toBeNull()
  })

  test('is not hindered by what one has left that was killed while it wrote, whenever that was', async () => {
    mkdirSync(cache.folder, { mode: 0o700 })
    writeFileSync(`${cache.path(key)}.new`, 'MONOSNAP', { mode: 0o600 })
    writeFileSync(`${cache.path(key)}.0123456789ab.new`, 'MONOSNAP', { mode: 0o600 })
    await store()
    expect(readdirSync(cache.folder)).toHaveLength(1)
  })

  test('is refused with a reason where nothing can be written', async () => {
    writeFileSync(join(place, 'monoceros'), '')
    await expect(cache.claim(key)).rejects.toThrow(
      `${join(place, 'monoceros')}: it is not a folder`,
    )
  })
})

test('what others left who were ended while they made a snapshot goes with the next one; who still makes one is let be', async () => {
  await store()
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const left = cache.path('cd'.repeat(32))
  const made = cache.path('ef'.repeat(32))
  writeFileSync(`${left}.claim`, identityText({ ...processIdentity(), pid }), { mode: 0o600 })
  writeFileSync(`${made}.claim`, identityText(processIdentity()), { mode: 0o600 })
  for (const path of [left, made]) writeFileSync(`${path}.0123456789ab.new`, '', { mode: 0o600 })
  const before = readdirSync(cache.folder).filter((name) =>
    name.startsWith(`interpreter-${'ef'.repeat(16)}`),
  )
  await store(cache, '12'.repeat(32))
  const names = readdirSync(cache.folder).filter((name) => !name.endsWith('.snapshot'))
  expect(names.sort()).toEqual(before.sort())
})

test('a file that claims a length for which there is no memory is refused, and not the end of the process', async () => {
  await store()
  const content = readFileSync(cache.path(key))
  const length = 2 ** 41
  content.writeBigUInt64LE(BigInt(length), 40)
  writeFileSync(cache.path(key), content)
  truncateSync(cache.path(key), 64 + length)
  await expect(cache.read(key)).rejects.toThrow(CacheError)
})

test('the snapshots that were used last are kept, sixteen of them, and other files are left alone', async () => {
  mkdirSync(cache.folder, { mode: 0o700 })
  writeFileSync(join(cache.folder, 'notes.txt'), '')
  const keys = [...'0123456789abcdef'].map((digit) => digit.repeat(64))
  const last = '10'.repeat(32)
  for (const [index, each] of keys.entries()) {
    await store(cache, each)
    const then = new Date(Date.now() - 3_600_000 + index * 1000)
    utimesSync(cache.path(each), then, then)
  }
  await cache.read(keys[0]!)
  await store(cache, last)
  const left = [keys[0]!, ...keys.slice(2), last]
  expect(readdirSync(cache.folder).sort()).toEqual(
    ['notes.txt', ...left.map((each) => `interpreter-${each.slice(0, 32)}.snapshot`)].sort(),
  )
})

test('together they take no more than 512 MiB of the disk, and the one just made stays', async () => {
  await store(cache, '1'.repeat(64))
  // Space that is allocated, and not written.
  for (const [digit, size] of [
    ['2', '300M'],
    ['3', '300M'],
  ] as const) {
    const path = cache.path(digit.repeat(64))
    execFileSync('fallocate', ['-l', size, path])
    const then = new Date(Date.now() - 3_600_000 + Number(digit) * 1000)
    utimesSync(path, then, then)
  }
  await store(cache, '4'.repeat(64))
  const names = readdirSync(cache.folder).map((name) => name['interpreter-'.length])
  expect(names.sort()).toEqual(['1', '3', '4'])
})

test('a process that ends while it has the right to write gives it back', () => {
  const code = `
import { SnapshotCache } from ${JSON.stringify(join(import.meta.dirname, '../../../../dist/runtimes/pyodide/image/snapshot-cache.js'))}
const claim = await new SnapshotCache(${JSON.stringify(cache.folder)}).claim(${JSON.stringify(key)})
process.exit(claim === null ? 1 : 0)
`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', code])
  expect([status, readdirSync(cache.folder)]).toEqual([0, []])
})

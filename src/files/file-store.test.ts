import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { FileStore, type StoredPath } from './file-store.ts'
import { StaticRoot } from './static-root.ts'

const SIZE = 500_000

test('a content that is forgotten counts for the clients that still take it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'file'), Buffer.alloc(SIZE))
  utimesSync(join(folder, 'file'), 1, 1)
  let held = 0
  const store = new FileStore({
    bytes: 16 * SIZE,
    descriptors: 8,
    memory: {
      add(bytes) {
        held += bytes
      },
    },
    tell: () => {},
  })
  const root = new StaticRoot(folder, false)
  const lookup = { root, names: ['file'], directory: false, index: null, precompressed: false }
  const get = () =>
    new Promise<StoredPath>((resolve, reject) => {
      const known = store.known('/file')
      if (known !== null) resolve(known)
      else store.load('/file', lookup, (error, path) => (error ? reject(error) : resolve(path!)))
    })
  // It comes into memory when it is asked for again.
  await waitFor('the content', async () => (await get()).files[0]!.memory !== null)
  const [file] = (await get()).files
  file!.use()
  expect(held).toBe(0)
  store.clear()
  expect(held).toBeGreaterThanOrEqual(SIZE)
  file!.release()
  expect(held).toBe(0)
})

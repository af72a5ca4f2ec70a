import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { builtOnce, type Product } from './built-once.ts'

/** A package as it is published. */
export interface PackedPackage {
  readonly name: string
  /** The path of its tarball. */
  readonly tarball: string
  /** Of the tarball, in bytes. */
  readonly size: number
  /** Of the files in it, in bytes. */
  readonly unpackedSize: number
}

type Packages = Readonly<Record<'monoceros' | 'monoceros-pyodide', PackedPackage>>

const PACKAGES: Product = {
  name: 'packed',
  // The lock files stand for the dependencies in the bundle.
  sources: [
    ...['dist', 'python', 'packages/pyodide', 'scripts', 'package.json', 'README.md', 'LICENSE'],
    ...['package-lock.json', 'node_modules/.package-lock.json'],
  ],
  make: pack,
}

let packing: Promise<Packages> | undefined

/** Packs the build that is under test, unless a test has done so. */
export function packed(): Promise<Packages> {
  packing ??= packOnce()
  return packing
}

async function packOnce(): Promise<Packages> {
  const folder = await builtOnce(PACKAGES)
  const packages = readFileSync(join(folder, 'packages.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PackedPackage)
    .map((one) => ({ ...one, tarball: join(folder, basename(one.tarball)) }))
  return Object.fromEntries(packages.map((one) => [one.name, one])) as unknown as Packages
}

async function pack(folder: string): Promise<void> {
  const script = join(repository, 'scripts', 'pack.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [script, '--to', folder])
  writeFileSync(join(folder, 'packages.jsonl'), stdout)
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) rmSync(join(folder, entry.name), { recursive: true })
  }
}

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Pidfile, PidfileError } from './pidfile.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  path = join(directory, 'site.pid')
})

afterEach(() => rmSync(directory, { recursive: true }))

function pidOfTheDead(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

test('it holds the pid while it exists, and nothing stays', () => {
  const pidfile = new Pidfile(path)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  pidfile.remove()
  expect(readdirSync(directory)).toEqual([])
})

test('one that a dead process left behind is replaced, and so is one that holds no pid', () => {
  for (const text of [`${pidOfTheDead()}\n`, '', 'nonsense', '-1', '0']) {
    writeFileSync(path, text)
    new Pidfile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  }
})

test("one of a running process is refused and left alone: it is another server's", () => {
  writeFileSync(path, `${process.ppid}\n`)
  expect(() => new Pidfile(path)).toThrow(PidfileError)
  expect(() => new Pidfile(path)).toThrow(`names process ${process.ppid}, which is running`)
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`)
})

test('one with our own pid is left behind by a predecessor of the same number, as in a container', () => {
  writeFileSync(path, `${process.pid}\n`)
  new Pidfile(path).remove()
  expect(existsSync(path)).toBe(false)
})

test("one that has become another process's is not removed", () => {
  const pidfile = new Pidfile(path)
  writeFileSync(path, '1\n')
  pidfile.remove()
  expect(readFileSync(path, 'utf8')).toBe('1\n')
})

test('a place that cannot be written is named', () => {
  const elsewhere = join(directory, 'absent', 'site.pid')
  expect(() => new Pidfile(elsewhere)).toThrow(`Cannot write the pidfile ${elsewhere}: `)
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { readStackDump } from './stack-dump.ts'

const worker = fileURLToPath(new URL('../../../python/monoceros/worker.py', import.meta.url))

test("the application's frames are shown oldest first, without ours and the import machinery's", () => {
  const dump = `Current thread 0x00007f3a (most recent call first):
  File "/srv/none/db.py", line 8 in connect
  File "/srv/none/app.py", line 3 in <module>
  File "<frozen importlib._bootstrap>", line 241 in _call_with_frames_removed
  File "/usr/lib/python3.11/importlib/__init__.py", line 126 in import_module
  File "${worker}", line 50 in _run
`
  expect(readStackDump(dump)).toBe(`Stack (most recent call last):
  File "/srv/none/app.py", line 3, in <module>
  File "/srv/none/db.py", line 8, in connect`)
})

test('source lines are shown, also of files whose names are not ASCII', () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-dump-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'café.py'), 'import time\n    time.sleep(9)\n')
  expect(
    readStackDump(
      `Current thread 0x1 (most recent call first):\n  File "${folder}/caf\\xe9.py", line 2 in f\n`,
    ),
  ).toBe(
    `Stack (most recent call last):\n  File "${join(folder, 'café.py')}", line 2, in f\n   ` +
      ' time.sleep(9)',
  )
})

test('other threads are shown where they run code of the application', () => {
  const dump = `Thread 0x2 [helper] (most recent call first):
  File "/srv/none/lock.py", line 4 in take
  File "/usr/lib/python3.11/threading.py", line 982 in run
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner

Thread 0x3 (most recent call first):
  <no Python frame>

Current thread 0x1 (most recent call first):
  File "/srv/none/app.py", line 1 in <module>
`
  expect(readStackDump(dump)).toBe(`Stack (most recent call last):
  File "/srv/none/app.py", line 1, in <module>
Another thread (most recent call last):
  File "/srv/none/lock.py", line 4, in take`)
})

test('where the import machinery itself waits, it is what is shown', () => {
  const dump =
    'Current thread 0x1 (most recent call first):\n  File "<frozen importlib._bootstrap>", ' +
    'line 147 in acquire\n'
  expect(readStackDump(dump)).toContain('in acquire')
})

test('there is nothing to show of an empty dump, nor of a process that is in no Python', () => {
  expect(readStackDump('')).toBeNull()
  expect(
    readStackDump('Current thread 0x1 (most recent call first):\n  <no Python frame>\n'),
  ).toBeNull()
})

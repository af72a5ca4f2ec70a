import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findSystemPython, InterpreterError } from './interpreter.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-interpreter-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** A command that answers as a Python would. */
function fake(path: string, answer: string, status = 0): string {
  const command = join(directory, path)
  mkdirSync(dirname(command), { recursive: true })
  writeFileSync(command, `#!/bin/sh\n${answer}\nexit ${status}\n`)
  chmodSync(command, 0o755)
  return command
}
const says = (version: string) => `echo "${version}|CPython|/real/python"`
const nowhere = () => ({ PATH: join(directory, 'path') })

async function refusal(...parameters: Parameters<typeof findSystemPython>): Promise<string> {
  const error = await findSystemPython(...parameters).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(InterpreterError)
  return (error as Error).message
}

describe('the interpreter', () => {
  it('is the one asked for, even when it is not the first to be found', async () => {
    fake('path/python3', says('3.11.2'))
    const command = fake('mine', says('3.12.1'))
    expect(await findSystemPython(command, directory, nowhere())).toEqual({
      command,
      version: '3.12.1',
      implementation: 'CPython',
      executable: '/real/python',
    })
  })

  it('does not take a module of the working directory for one of its own', async () => {
    writeFileSync(join(directory, 'platform.py'), 'raise SystemExit("not Python\'s own")\n')
    writeFileSync(join(directory, 'types.py'), 'raise SystemExit("not Python\'s own")\n')
    // The probe is started in the working directory of this process, so a shell changes it.
    const command = fake('mine', `cd '${directory}' && python3 "$@"; exit $?`)
    expect((await findSystemPython(command, directory)).implementation).toBe('CPython')
  })

  it('is that of $VIRTUAL_ENV, then of .venv, then on PATH', async () => {
    fake('path/python3', says('3.9.0'))
    const found = (environment: NodeJS.ProcessEnv) => findSystemPython(null, directory, environment)
    expect((await found(nowhere())).version).toBe('3.9.0')
    const local = fake('.venv/bin/python', says('3.10.0'))
    expect(await found(nowhere())).toMatchObject({ command: local, version: '3.10.0' })
    fake('active/bin/python', says('3.11.0'))
    const active = { ...nowhere(), VIRTUAL_ENV: join(directory, 'active') }
    expect((await found(active)).version).toBe('3.11.0')
    expect((await found({ ...active, VIRTUAL_ENV: join(directory, 'gone') })).version).toBe(
      '3.10.0',
    )
    rmSync(join(directory, '.venv'), { recursive: true })
    fake('.venv/bin/python', 'echo broken >&2', 1)
    expect((await found(nowhere())).version).toBe('3.9.0')
  })

  it('that was asked for must do; no other takes its place', async () => {
    fake('path/python3', says('3.11.2'))
    const missing = join(directory, 'missing')
    expect(await refusal(missing, directory, nowhere())).toMatch(
      new RegExp(`--python cannot be used.*\n.*${missing} \\(--python\\): there is no such file`),
    )
    expect(await refusal('no-such-name', directory, nowhere())).toContain(
      'no-such-name (--python): not found',
    )
  })

  it.each([
    ['3.8.19', 'it is Python 3.8.19'],
    ['2.7.18', 'it is Python 2.7.18'],
    ['', 'it is Python '],
  ])('is not Python %s', async (version, why) => {
    const command = fake('old', says(version))
    expect(await refusal(command, directory, nowhere())).toContain(why)
  })

  it('of a newer Python is taken', async () => {
    for (const version of ['3.9.0', '3.14.0rc1', '4.0.0']) {
      expect(
        (await findSystemPython(fake('new', says(version)), directory, nowhere())).version,
      ).toBe(version)
    }
  })

  it('that does not run is named with the last thing it said', async () => {
    const command = fake('broken', 'echo first >&2; echo "No module named encodings" >&2', 1)
    expect(await refusal(command, directory, nowhere())).toContain(
      'it does not run (No module named encodings)',
    )
  })

  it('that is nowhere is one error that says all that was tried, and what to do', async () => {
    const message = await refusal(null, directory, { ...nowhere(), VIRTUAL_ENV: '/gone' })
    expect(message).toContain('/gone/bin/python ($VIRTUAL_ENV): there is no such file')
    expect(message).toContain('.venv in the working directory')
    expect(message).toContain('python3 (on PATH): not found')
    expect(message).toContain('--python PATH')
  })
})

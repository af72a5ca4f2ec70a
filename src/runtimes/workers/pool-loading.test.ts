import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  APPLICATION,
  alive,
  directory,
  makePool,
  over,
  prepareApplication,
  startPool,
} from '../../../tests/support/pool-bench.ts'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { ApplicationLoadError } from '../application-load-error.ts'

prepareApplication()

describe('an application that never comes to be loaded', () => {
  // It sleeps, to leave the processors to others; tests/e2e/hanging-load.test.ts has one that does
  // not.
  const hung =
    'import time\ndef wait_in_a_named_place():\n    while True:\n        time.sleep(0.1)\n\n' +
    'wait_in_a_named_place()\n'

  it('is warned of, and given up with the place where it stands, and no process is left', async () => {
    writeFileSync(join(directory, 'tried.py'), hung)
    const { pool, logged } = makePool({ loadTimeout: 12 })
    const failure = await pool.start().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ApplicationLoadError)
    expect((failure as Error).message).toMatch(
      /^tried:application could not be loaded within 12 s \(load_timeout\) \[MONO2021\]\. Stack .*wait_in_a_named_place\n/s,
    )
    // The application's frames, not ours.
    expect((failure as Error).message).not.toMatch(/python\/monoceros|importlib/)
    const warnings = logged.filter((line) =>
      line.includes('is still loading tried:application after 6 s'),
    )
    expect(warnings).toHaveLength(2)
    expect(warnings.join('\n')).toContain('in wait_in_a_named_place')
    const given = warnings.map((line) => Number(/Worker (\d+)/.exec(line)![1]))
    await waitFor('both to be gone', () => !given.some(alive))
  })

  it('costs a reload, and nobody else; another reload ends it at once', async () => {
    const { pool, submit, pids } = await startPool({ loadTimeout: 60 })
    writeFileSync(join(directory, 'tried.py'), `import os\nopen("hung", "w").close()\n${hung}`)
    const first = pool.reload().then(
      () => 'reloaded',
      () => 'abandoned',
    )
    await waitFor('it to hang', () => existsSync(join(directory, 'hung')))
    const meanwhile = submit('/1')
    await over([meanwhile])
    expect(pids).toContain(Number(meanwhile.pid))
    writeFileSync(join(directory, 'tried.py'), APPLICATION)
    await pool.reload()
    expect(await first).toBe('abandoned')
    await waitFor('the old ones to be gone', () => !pids.some(alive))
    const next = submit('/2')
    await over([next])
    expect(pids).not.toContain(Number(next.pid))
  })

  it('is tried again where it replaces a worker that has died', async () => {
    const { submit, pids, logged } = await startPool({ workers: 1, loadTimeout: 12 })
    writeFileSync(join(directory, 'tried.py'), hung)
    process.kill(pids[0]!, 'SIGKILL')
    await waitFor('a try that is given up', () =>
      logged.some((line) =>
        /could not start; trying again \[MONO5003\]\n.*load_timeout.*wait_in_a_named_place/s.test(
          line,
        ),
      ),
    )
    writeFileSync(join(directory, 'tried.py'), APPLICATION)
    const probe = submit('/1')
    await over([probe])
    expect(probe.outcome).toBe('ended')
  })

  it('makes a reload that another worker has failed fail at once', async () => {
    const { pool } = await startPool({ loadTimeout: 60 })
    // Whoever makes the folder hangs, the other one raises.
    const first =
      'import os\ntry:\n    os.mkdir("first")\nexcept FileExistsError:\n    raise ' +
      'RuntimeError("second")\n'
    writeFileSync(join(directory, 'tried.py'), `${first}${hung}`)
    await expect(pool.reload()).rejects.toThrow(/second/)
  })
})

it('waits longer each time a replacement does not live', async () => {
  const { pids, logged } = await startPool({ workers: 1 })
  writeFileSync(join(directory, 'tried.py'), 'raise RuntimeError("broken meanwhile")\n')
  process.kill(pids[0]!, 'SIGKILL')
  const tries = () => logged.filter((line) => line.includes('could not start; trying again')).length
  await waitFor('a first try', () => tries() >= 2)
  const some = tries()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(tries() - some).toBeLessThan(6)
})

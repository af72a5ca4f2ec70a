import { spawnSync } from 'node:child_process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { commandPath } from '../support/build.ts'
import { EditedProject } from '../support/edited-project.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// --reload where the system has no watches to give. A user namespace has a limit of its own.

const LIMITED = 'echo 2 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"'
const mayLimit =
  spawnSync('unshare', ['--user', '--map-root-user', 'sh', '-c', LIMITED, 'true']).status === 0

function startLimited(project: EditedProject, engine: string): Promise<RunningServer> {
  const args = ['--reload', '--reload-engine', engine, '--bind', '127.0.0.1:0', 'app:app']
  return runServer({
    command: 'unshare',
    args: [
      ...['--user', '--map-root-user', 'sh', '-c', LIMITED],
      ...[process.execPath, commandPath, ...args],
    ],
    env: { ...process.env, VIRTUAL_ENV: testPython().prefix, NODE_OPTIONS: undefined },
    cwd: project.path,
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => /Listening at \S+.*\n/.test(log),
    isWorker: (line) => line.includes('monoceros-worker'),
  })
}

describe.skipIf(!mayLimit || !hasPython())('--reload without watches', () => {
  const makeProject = () => {
    const project = new EditedProject({
      'app.py': `from shop import words

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [words.word.encode()]
`,
      'shop/__init__.py': '',
      'shop/words.py': 'word = "one"\n',
    })
    onTestFinished(project.remove)
    return project
  }

  test('says so, and looks at the files instead', async () => {
    const project = makeProject()
    const server = await startLimited(project, 'auto')
    expect(server.log()).toMatch(
      /WARNING\] --reload: the system has no watches left \(ENOSPC;.* \[MONO5211\]/,
    )
    expect(server.log()).toContain('looking at the files every 0.25 s instead')
    for (const [before, after] of [
      ['one', 'two'],
      ['two', 'six'],
    ] as const) {
      project.edit('shop/words.py', before, after)
      await waitFor(`the answer ${after}`, async () => {
        return (await (await fetch(server.url)).text()) === after
      })
    }
  })

  test('says so, and what to do, if it must not poll', async () => {
    const server = await startLimited(makeProject(), 'inotify')
    expect(server.log()).toContain('raise fs.inotify.max_user_watches, or use --reload-engine poll')
    expect(await (await fetch(server.url)).text()).toBe('one')
  })
})

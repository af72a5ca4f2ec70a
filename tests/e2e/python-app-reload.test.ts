import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  type PythonAppOptions,
  PythonLoadError,
  type PythonReloadEvent,
  pythonApp,
} from 'monoceros'
import { testClient } from 'monoceros/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EditedProject } from '../support/edited-project.ts'
import { hasPython, testPython } from '../support/python.ts'
import { waitFor } from '../support/wait-for.ts'

const SITE = `
from words import WORD

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [WORD.encode()]
`

describe.skipIf(!hasPython())('pythonApp with reload', () => {
  function reloading(files: Record<string, string>, options: PythonAppOptions = {}) {
    const project = new EditedProject(files)
    const events: PythonReloadEvent[] = []
    const log: string[] = []
    const app = pythonApp('site_app:app', {
      chdir: project.path,
      python: testPython().executable,
      reload: true,
      log: ({ level, text }) => void log.push(`${level}: ${text}`),
      onReload: (event) => void events.push(event),
      ...options,
    })
    onTestFinished(async () => {
      await app.close()
      project.remove()
    })
    const client = testClient(app)
    const answer = async () => (await client.get('/')).text()
    const until = (count: number) => waitFor(`event ${count}`, () => events.length >= count)
    return { project, app, events, log, client, answer, until }
  }

  test('a module that was loaded and changes is loaded again, and one that was not is not', async () => {
    const { project, events, answer, until, log } = reloading({
      'site_app.py': SITE,
      'words.py': 'WORD = "one"',
      'unused.py': '',
    })
    expect(await answer()).toBe('one')
    expect(log).toContain(`info: Watching ${project.path} for changes (reload)`)
    project.write('unused.py', 'never loaded')
    project.editAtOnce('words.py', 'one', 'two')
    await until(1)
    expect(events).toEqual([{ kind: 'reloaded', files: [join(project.path, 'words.py')] }])
    expect(await answer()).toBe('two')
    expect(log).toContain('info: words.py has changed: loading site_app:app again')
  })

  test('while it cannot be loaded requests get its error, until it is mended', async () => {
    const { project, events, client, answer, until, log } = reloading({
      'site_app.py': SITE,
      'words.py': 'WORD = "one"',
    })
    expect(await answer()).toBe('one')
    project.write('words.py', 'WORD = = "two"')
    await until(1)
    expect(events[0]).toMatchObject({ kind: 'failed', error: expect.any(PythonLoadError) })
    await expect(client.get('/')).rejects.toMatchObject({
      code: 'python-load',
      traceback: expect.stringMatching(/words\.py", line 1\n.*WORD = = "two"[\s\S]*SyntaxError/),
    })
    expect(log.find((text) => text.startsWith('error:'))).toMatch(/cannot be loaded\n[\s\S]*Syntax/)
    project.write('words.py', 'WORD = "three"')
    await until(2)
    expect(events[1]?.kind).toBe('reloaded')
    expect(await answer()).toBe('three')
  })

  test('one that could not be loaded at first is loaded when a missing module comes', async () => {
    const { project, client, answer, until } = reloading({ 'site_app.py': SITE })
    await expect(client.get('/')).rejects.toMatchObject({ code: 'python-load' })
    project.write('words.py', 'WORD = "here"')
    await until(1)
    expect(await answer()).toBe('here')
  })

  test('a load that does not end is given up for the next change, at first and later', async () => {
    const hangs = 'import time\nopen("hanging", "w").close()\ntime.sleep(600)\n'
    const { project, answer, until } = reloading({ 'site_app.py': hangs + SITE })
    project.write('words.py', 'WORD = "one"')
    const first = answer()
    const hanging = join(project.path, 'hanging')
    await waitFor('the first load to hang', () => existsSync(hanging))
    rmSync(hanging)
    project.write('site_app.py', SITE)
    expect(await first).toBe('one')
    project.write('words.py', `${hangs}WORD = "two"`)
    await waitFor('the load after a change to hang', () => existsSync(hanging))
    project.write('words.py', 'WORD = "three"')
    await until(1)
    await waitFor('the last change', async () => (await answer()) === 'three')
  })

  test('a static file needs no reload, and files that are named do', async () => {
    const { project, events, answer, until } = reloading(
      { 'site_app.py': SITE, 'words.py': 'WORD = "one"', 'static/a.css': 'a', 'a.mo': '1' },
      { reloadExtraFiles: '*.mo' },
    )
    await answer()
    project.editAtOnce('static/a.css', 'a', 'b')
    await until(1)
    project.editAtOnce('a.mo', '1', '2')
    await until(2)
    expect(events.map(({ kind }) => kind)).toEqual(['refreshed', 'reloaded'])
  })

  test('wrong options are refused', () => {
    const wrong = (options: object) => () => pythonApp('a:b', options)
    expect(wrong({ reload: 'yes' })).toThrow(/^pythonApp: reload: /)
    expect(wrong({ reloadEngine: 'magic' })).toThrow(/^pythonApp: reloadEngine: /)
    expect(wrong({ onReload: true })).toThrow('pythonApp: onReload must be a function')
  })
})

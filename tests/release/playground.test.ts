import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { servePlayground } from '../support/playground-page.ts'
import {
  check,
  choose,
  FIRST_BODIES,
  idle,
  run,
  runLate,
  status,
  stepOn,
  tutorial,
  type,
  typeAnswer,
} from '../support/playground-steps.ts'
import { answers } from '../support/tutorial-answers.ts'
import { waitFor } from '../support/wait-for.ts'

// The tutorial's playground in a browser: what the page says is typed, run and checked. Set
// PLAYGROUND_PICTURES to a folder for pictures of it.

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const pictures = process.env.PLAYGROUND_PICTURES
const chromium = findChromium()
const STEPS = [1, 2, 3, 4, 5, 6, 7, 8]

describe.skipIf(chromium === null)('the playground', () => {
  let browser: Browser
  let closeBrowser: () => Promise<void>
  let site: Awaited<ReturnType<typeof servePlayground>>
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    site = await servePlayground()
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
    page = await open('?steps=1,2,3,4,5,6,7,8', { viewport: { width: 1000, height: 900 } })
  })

  afterAll(async () => {
    await closeBrowser?.()
    await site?.close()
  })

  /** Opens a page, and notes everything that a browser complains of. */
  async function open(query: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext(options)
    const opened = await context.newPage()
    opened.on('console', (message) => {
      // An icon that the page of this test does not have.
      if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico'))
        problems.push(message.text())
    })
    opened.on('pageerror', (error) => problems.push(String(error)))
    opened.on('request', (request) => {
      if (!request.url().startsWith(site.url) && !/^(blob|data|about):/.test(request.url()))
        problems.push(`outside: ${request.url()}`)
    })
    await opened.goto(site.url + query)
    return opened
  }

  describe.each(['python', 'typescript'] as const)('in %s', (language) => {
    test.each(STEPS)('step %i: the program, a wrong answer, the right one', async (step) => {
      const view = stepOn(page, step)
      await choose(view, language)
      const { wrong, says, right } = answers[step - 1]![language]

      expect(await run(view)).toMatch(/^20[01] /)
      expect((await view.locator('.mp-body').innerText()).trimEnd()).toBe(FIRST_BODIES[step - 1])

      await typeAnswer(view, wrong)
      expect(await check(view)).toContain('do not pass yet')
      expect(await view.locator('.mp-checks').innerText()).toContain(says)

      await typeAnswer(view, right)
      const said = await check(view)
      expect(said, await view.locator('.mp-checks').innerText()).toMatch(/^Done: all \d checks/)
    })
  })

  test('a Python application inside one of TypeScript runs in the page’s Python', async () => {
    const view = stepOn(page, 6)
    await choose(view, 'typescript')
    await view.getByLabel('Path').fill('/python/of/course?a=b')
    expect(await run(view)).toMatch(/^200 OK/)
    expect(await view.locator('.mp-body').innerText()).toBe(
      "mounted at '/python', asked for '/of/course'\n",
    )
  })

  test('the reference server of step 3 runs as well', async () => {
    const view = stepOn(page, 3)
    for (const language of ['python', 'typescript'] as const) {
      await choose(view, language)
      await view.getByRole('tab', { name: /^reference/ }).click()
      expect(await run(view)).toMatch(/^200 OK/)
      expect(await view.locator('.mp-body').innerText()).toContain('Greeted by WSGI.')
      // The task is about the first server all the same, which is mended above.
      expect(await check(view)).toMatch(/^Done/)
    }
  })

  test('the servers of step 3 split the target at its first question mark', async () => {
    const view = stepOn(page, 3)
    for (const language of ['python', 'typescript'] as const) {
      await choose(view, language)
      await view.getByRole('button', { name: 'Reset' }).click()
      await view.getByLabel('Path').fill('/Ada?a=b?c')
      expect(await run(view)).toMatch(/^200 OK/)
      expect(await view.locator('.mp-result').textContent()).toMatch(/QUERY_STRING['"]a=b\?c['"]/)
    }
  })

  test('code in the page reaches neither the network nor what the site keeps', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'typescript')
    await type(
      view,
      'hello.ts',
      'console.log(typeof fetch, typeof indexedDB, typeof WebSocket, typeof localStorage)\n' +
        'export const app = () => []\n',
    )
    await run(view)
    expect(await view.locator('.mp-log').innerText()).toContain(
      'undefined undefined undefined undefined',
    )
    await view.getByRole('button', { name: 'Reset' }).click()
    await choose(view, 'python')
    await type(view, 'hello.py', 'import js\n\nprint(hasattr(js, "fetch"))\napp = print\n')
    await run(view)
    expect(await view.locator('.mp-log').innerText()).toContain('False')
    await view.getByRole('button', { name: 'Reset' }).click()
  })

  test('the programs in the editor are those of the page', async () => {
    const other = await open('?steps=7')
    const shown = await stepOn(other, 7).locator('.cm-line').allInnerTexts()
    expect(shown.map((line) => line.replace(/^\n$/, '')).join('\n')).toBe(
      tutorial.get('notes.py')!.replace(/\n$/, '\n'),
    )
    await other.context().close()
  })

  test('both interpreters start, and say how long that took', async () => {
    for (const language of ['typescript', 'python'] as const) {
      const other = await open(`?steps=1&language=${language}`)
      const engine = stepOn(other, 1).locator('.mp-engine')
      await waitFor(
        'an interpreter',
        async () => / is ready/.test(await engine.innerText()),
        60_000,
      )
      const text = await engine.innerText()
      expect(text).toMatch(/^(Python 3\.14\.\d+|TypeScript) is ready \(\d+\.\d s\)$/)
      console.info(text)
      await other.context().close()
    }
  })

  test('an endless loop is stopped: by the button, and after ten seconds', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'python')
    await type(view, 'hello.py', 'while True:\n    pass\n')
    await view.getByRole('button', { name: 'Run', exact: true }).click()
    await view.getByRole('button', { name: 'Stop' }).click()
    await idle(view)
    expect(await status(view)).toBe('It was stopped. Python is started anew.')

    // In a page of its own: one with a clock has scripts of Playwright in all of its frames.
    const other = await open('?steps=1&language=typescript')
    const late = stepOn(other, 1)
    await type(late, 'hello.ts', 'for (;;) {}\n')
    expect(await runLate(late)).toBe(
      'It did not end within 10 seconds and was stopped. TypeScript is started anew.',
    )
    await late.getByRole('button', { name: 'Reset' }).click()
    expect(await run(late)).toMatch(/^200 OK/)
    await other.context().close()
    await choose(view, 'python')
    await view.getByRole('button', { name: 'Reset' }).click()
    expect(await run(view)).toMatch(/^200 OK/)
  })

  test('an endless response is cut', async () => {
    const view = stepOn(page, 8)
    await choose(view, 'python')
    await type(
      view,
      'fragile.py',
      'def app(environ, start_response):\n' +
        '    start_response("200 OK", [("Content-Type", "text/plain")])\n' +
        '    while True:\n        yield b"x" * 1000\n',
    )
    expect(await run(view)).toContain('The response broke off before its end.')
    expect(await view.locator('.mp-log').innerText()).toContain('1048576 bytes')
    await view.getByRole('button', { name: 'Reset' }).click()
  })

  test('a wrong program gets the error of the server, with the frames of the reader', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'python')
    await type(view, 'hello.py', 'import flaskk\n')
    await run(view)
    const python = await view.locator('.mp-error').innerText()
    expect(python).toContain('File "/tutorial/hello.py", line 1, in <module>')
    expect(python).toContain("No module named 'flaskk'")
    expect(python).not.toContain('monoceros_pyodide')
    const code = view.locator('.mp-error').getByRole('link', { name: 'MONO2003' })
    expect(await code.getAttribute('href')).toBe('/errors/MONO2003.html')

    // A check says it once, with the line, and until the next check that it may be out of date.
    expect(await check(view)).toBe('The program has an error: the checks do not pass yet.')
    expect(await view.locator('.mp-checks [data-state=missing]').count()).toBe(1)
    expect(await view.locator('.mp-missing').innerText()).toContain('hello.py", line 1')
    expect(await view.locator('.mp-stale').isVisible()).toBe(false)

    await type(
      view,
      'hello.py',
      'def app(environ, start_response):\n    return helper()\n\n\n' +
        'def helper():\n    return 1 / 0\n',
    )
    expect(await view.locator('.mp-stale').isVisible()).toBe(true)
    expect(await run(view)).toMatch(/^500 Internal Server Error/)
    const log = await view.locator('.mp-log').innerText()
    expect(log.match(/File "[^"]*"/g)).toEqual(Array(2).fill('File "/tutorial/hello.py"'))
    expect(log).toContain('ZeroDivisionError')

    await choose(view, 'typescript')
    await type(view, 'hello.ts', 'export const app = (environ: object => 1\n')
    await run(view)
    expect(await view.locator('.mp-error').innerText()).toMatch(/^hello\.ts could not be read/)
    await type(
      view,
      'hello.ts',
      'export const app = (): never => {\n  throw new Error("no luck")\n}\n',
    )
    expect(await run(view)).toMatch(/^500 /)
    const stack = await view.locator('.mp-log').innerText()
    expect(stack).toMatch(/Error: no luck\n\s+at .*hello\.ts:2:/)
    expect(stack).not.toMatch(/typescript-worker|blob:|<anonymous>/)
    await check(view)
    expect(await view.locator('.mp-missing').first().innerText()).toContain(
      'Error: no luck (hello.ts, line 2)',
    )

    // An error that is thrown in the server's own code still has its names.
    await type(
      view,
      'hello.ts',
      "import { requestId } from 'monoceros'\n" +
        "const inner = requestId()((_, start) => (start('200 OK', []), []))\n" +
        'export const app = (environ) => inner(environ)\n',
    )
    expect(await run(view)).toMatch(/^500 /)
    expect(await view.locator('.mp-log').innerText()).toContain('startResponse is not a function')
    await view.getByRole('button', { name: 'Reset' }).click()
  })

  test('a promise that nobody awaits fails in the run that has made it', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'typescript')
    const late = (text: string) =>
      'export const app = (environ, startResponse) => {\n' +
      `  ${text}\n  startResponse('200 OK', [])\n  return []\n}\n`
    await type(view, 'hello.ts', late("Promise.reject(new Error('nobody waits'))"))
    expect(await run(view)).toMatch(/^200 OK.* The log has more/)
    expect(await view.locator('.mp-log').innerText()).toContain('Error: nobody waits')
    await type(view, 'hello.ts', late(''))
    expect(await run(view)).toBe('200 OK, 0 bytes.')
    await view.getByRole('button', { name: 'Reset' }).click()
  })

  test('shows an HTML response as a page, which runs no script', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'python')
    await type(
      view,
      'hello.py',
      'def app(environ, start_response):\n' +
        '    start_response("200 OK", [("Content-Type", "text/html")])\n' +
        '    return [b"<h2>Shop</h2><script>document.body.textContent = 1</script>"]\n',
    )
    expect(await run(view)).toMatch(/^200 OK/)
    const frame = view.frameLocator('iframe')
    expect(await frame.locator('h2').innerText()).toBe('Shop')
    // The browser says that it has blocked the script.
    const blocked = problems.findIndex((text) => /Blocked script execution/.test(text))
    if (blocked !== -1) problems.splice(blocked, 1)
  })

  test('shows the request, the environ and the log as they are', async () => {
    const view = stepOn(page, 5)
    await choose(view, 'python')
    await view.getByRole('button', { name: 'Reset' }).click()
    await run(view)
    const result = view.locator('.mp-result')
    const all = (await result.textContent()) ?? ''
    expect(all).toContain('GET /Ada HTTP/1.1\nHost: localhost:8000\nX-Request-ID: tutorial-5')
    expect(all).toContain("HTTP_X_REQUEST_ID'tutorial-5'")
    expect(all).toContain('wsgi.version(1, 0)')
  })

  test('refuses what the server refuses, with its words', async () => {
    const view = stepOn(page, 4)
    for (const language of ['python', 'typescript'] as const) {
      await choose(view, language)
      await view.getByLabel('Requests of this step').selectOption('1')
      expect(await run(view)).toMatch(/^400 Bad Request/)
      expect(await view.locator('.mp-log').innerText()).toMatch(/Answering 400 .*Content-Length/)
    }
  })

  test('what is written survives a reload, and Reset brings the page back', async () => {
    // TypeScript, because each page with Python starts an interpreter.
    const other = await open('?steps=1&language=typescript')
    const view = stepOn(other, 1)
    await type(view, 'hello.ts', '// mine\n')
    await other.reload()
    await waitFor('the editor', () => view.locator('.cm-line').first().isVisible())
    expect(await view.locator('.cm-line').first().innerText()).toBe('// mine')
    await view.getByRole('button', { name: 'Reset' }).click()
    await other.reload()
    expect(await view.locator('.cm-line').first().innerText()).toContain('import { decodeText')
    await other.context().close()
  })

  test('a link shares the text, and runs nothing', async () => {
    const view = stepOn(page, 7)
    await choose(view, 'typescript')
    await type(view, 'notes.ts', '// shared\nglobalThis.hacked = 1\n')
    await view.getByRole('button', { name: 'Share' }).click()
    await waitFor('the link', () => page.url().includes('#play='))
    const fragment = new URL(page.url()).hash

    const other = await open(`?steps=1,7${fragment}`)
    const shared = stepOn(other, 7)
    await waitFor('the note', () => shared.locator('.mp-note').isVisible())
    expect(await shared.locator('.cm-line').first().innerText()).toBe('// shared')
    expect(await shared.locator('.mp-result').innerText()).toBe('')
    expect(await stepOn(other, 1).locator('.cm-line').first().innerText()).toContain('def app')

    await type(shared, 'notes.ts', '// changed since\n')
    expect(other.url()).not.toContain('#play=')
    await other.reload()
    await choose(shared, 'typescript')
    expect(await shared.locator('.cm-line').first().innerText()).toBe('// changed since')
    await other.context().close()
  })

  test('the keyboard reaches everything, and leaves the editor', async () => {
    const other = await open('?steps=2&language=typescript')
    const view = stepOn(other, 2)
    const tab = view.getByRole('tab', { name: 'append.ts' })
    await tab.focus()
    await other.keyboard.press('ArrowRight')
    expect(await view.getByRole('tab', { selected: true }).innerText()).toBe('hello.ts')
    await view.locator('.cm-content').focus()
    await other.keyboard.press('Tab')
    expect(await view.locator('.cm-content').evaluate((node) => node.matches(':focus'))).toBe(true)
    await other.keyboard.press('Escape')
    await other.keyboard.press('Tab')
    const run = view.getByRole('button', { name: 'Run', exact: true })
    await waitFor('focus on Run', () => run.evaluate((node) => node.matches(':focus')))
    await view.locator('.cm-content').focus()
    await other.keyboard.press('Control+Enter')
    await waitFor('an answer', async () => /^200 OK/.test(await status(view)), 30_000)
    await other.context().close()
  })

  test.each(['light', 'dark', 'phone'])('shuts nobody out (axe-core), %s', async (look) => {
    const dark = look === 'dark' ? '&dark' : ''
    const width = look === 'phone' ? 360 : 900
    const other = await open(`?steps=1&language=typescript${dark}`, {
      viewport: { width, height: 900 },
    })
    const view = stepOn(other, 1)
    await run(view)
    await check(view)
    await run(view)
    await view.locator('summary').evaluateAll((nodes) => {
      for (const node of nodes) node.parentElement?.setAttribute('open', '')
    })
    if (pictures !== undefined) {
      mkdirSync(pictures, { recursive: true })
      await other.screenshot({ path: join(pictures, `${look}.png`), fullPage: true })
    }
    await other.evaluate(axe)
    const { violations } = (await other.evaluate('axe.run()')) as {
      violations: { id: string; impact: string; nodes: { target: string[] }[] }[]
    }
    const serious = violations.filter(({ impact }) => /serious|critical/.test(impact))
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual(
      [],
    )
    expect(
      Number(await other.evaluate('document.documentElement.scrollWidth')),
    ).toBeLessThanOrEqual(width)
    await other.context().close()
  })

  test('asks for nothing elsewhere, and breaks no rule of the policy', () => {
    expect(problems).toEqual([])
    expect(site.strange).toEqual([])
  })
})

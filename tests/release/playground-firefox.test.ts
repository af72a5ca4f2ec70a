import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFirefox, launchFirefox } from '../support/chromium.ts'
import { serveLearn } from '../support/learn-server.ts'
import {
  check,
  choose,
  FIRST_BODIES,
  idle,
  run,
  status,
  stepOn,
  type,
  typeAnswer,
} from '../support/playground-steps.ts'
import type { RunningServer } from '../support/running-server.ts'
import { builtSite } from '../support/site.ts'
import { answers } from '../support/tutorial-answers.ts'
import { waitFor } from '../support/wait-for.ts'

// The site and its playground in Firefox, as `monoceros learn` serves them. The tests in Chromium
// (site.test.ts, playground.test.ts, learn.test.ts) go through all of it; these are for what
// another engine may do in another way: workers, WebAssembly, modules, policies, the keyboard,
// storage.

const firefox = findFirefox()

describe.skipIf(firefox === null)('in Firefox', () => {
  let browser: Browser
  let closeBrowser: () => Promise<void>
  let server: RunningServer
  let page: Page
  const problems: string[] = []

  beforeAll(async () => {
    server = await serveLearn({ site: await builtSite() })
    const launched = await launchFirefox(firefox!)
    browser = launched.browser
    closeBrowser = launched.close
    page = await open('/guides/tutorial.html')
  })

  afterAll(async () => {
    await closeBrowser?.()
    await server?.stop()
  })

  /** Opens a page in a profile of its own, and notes everything that Firefox complains of. */
  async function open(path: string): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
    const opened = await context.newPage()
    opened.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    opened.on('pageerror', (error) => problems.push(String(error)))
    opened.on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(server.url) && !/^(blob|data|about):/.test(url))
        problems.push(`outside: ${url}`)
    })
    await opened.goto(server.url + path)
    return opened
  }

  describe.each(['python', 'typescript'] as const)('in %s', (language) => {
    test.each([1, 4, 8])('step %i: the program, a wrong answer, the right one', async (step) => {
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

  test('an endless loop is stopped: by the button, and after ten seconds', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'python')
    await type(view, 'hello.py', 'while True:\n    pass\n')
    await view.getByRole('button', { name: 'Run', exact: true }).click()
    await view.getByRole('button', { name: 'Stop' }).click()
    await idle(view)
    expect(await status(view)).toBe('It was stopped. Python is started anew.')
    await choose(view, 'typescript')
    await type(view, 'hello.ts', 'for (;;) {}\n')
    expect(await run(view)).toBe(
      'It did not end within 10 seconds and was stopped. TypeScript is started anew.',
    )
    for (const language of ['typescript', 'python'] as const) {
      await choose(view, language)
      await view.getByRole('button', { name: 'Reset' }).click()
      expect(await run(view)).toMatch(/^200 OK/)
    }
  })

  test('an error of TypeScript has the line of the reader', async () => {
    const view = stepOn(page, 1)
    await choose(view, 'typescript')
    await type(
      view,
      'hello.ts',
      'export const app = (): never => {\n  throw new Error("no luck")\n}\n',
    )
    expect(await run(view)).toMatch(/^500 /)
    const stack = await view.locator('.mp-log').innerText()
    expect(stack).toMatch(/Error: no luck\n.*hello\.ts:2:/)
    expect(stack).not.toMatch(/typescript-worker|blob:/)
    await view.getByRole('button', { name: 'Reset' }).click()
  })

  test('an HTML response is shown as a page, which runs no script', async () => {
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
    expect(await view.frameLocator('iframe').locator('h2').innerText()).toBe('Shop')
    await view.getByRole('button', { name: 'Reset' }).click()
  })

  test('what is written survives a reload, and a link shares it', async () => {
    const view = stepOn(page, 7)
    await choose(view, 'python')
    await type(view, 'notes.py', '# mine\n')
    await page.reload()
    await waitFor('the editor', () => view.locator('.cm-line').first().isVisible())
    expect(await view.locator('.cm-line').first().innerText()).toBe('# mine')
    await view.getByRole('button', { name: 'Share' }).click()
    await waitFor('the link', () => page.url().includes('#play='))

    const other = await open(`/guides/tutorial.html${new URL(page.url()).hash}`)
    const shared = stepOn(other, 7)
    await waitFor('the note', () => shared.locator('.mp-note').isVisible())
    expect(await shared.locator('.cm-line').first().innerText()).toBe('# mine')
    expect(await shared.locator('.mp-result').innerText()).toBe('')
    await other.context().close()
  })

  test('the language of the tabs stays over a reload, and the playground follows', async () => {
    const other = await open('/guides/tutorial.html')
    const typescript = other.getByRole('tab', { name: 'TypeScript' }).first()
    const python = other.getByRole('tab', { name: 'Python' }).first()
    const step = stepOn(other, 1)
    await step.getByRole('button', { name: 'Python', pressed: true }).waitFor()
    await python.focus()
    await other.keyboard.press('ArrowRight')
    expect(await typescript.getAttribute('aria-selected')).toBe('true')
    await other.reload()
    await waitFor(
      'the tab',
      async () => (await typescript.getAttribute('aria-selected')) === 'true',
    )
    await step.getByRole('button', { name: 'TypeScript', pressed: true }).waitFor()
    await other.context().close()
  })

  test('the search finds a setting, by the keyboard', async () => {
    const other = await open('/guides/tls.html')
    await waitFor('the page', () =>
      other.evaluate<boolean>('document.querySelector("#app")?.__vue_app__ !== undefined'),
    )
    await other.keyboard.press('Control+k')
    await other.getByRole('searchbox').fill('graceful_timeout')
    await other.locator('.VPLocalSearchBox .result').first().waitFor()
    await other.keyboard.press('Enter')
    await other.waitForURL(/graceful_timeout|lifecycle|settings/)
    await other.context().close()
  })

  test('asks for nothing elsewhere, and breaks no rule of the policy', () => {
    expect(problems).toEqual([])
  })
})

import type { Locator, Page } from 'playwright-core'
import type { Language } from '../../site/playground/steps/types.ts'
import { blocksOf, filesOnPage } from './page-blocks.ts'
import { applyEdits, type Edit } from './tutorial-answers.ts'
import { waitFor, within } from './wait-for.ts'

/** How long a program may run, in milliseconds: RUN_LIMIT of the playground. */
const RUN_LIMIT = 10_000

/** The files of the tutorial's page, by their names. */
export const tutorial = filesOnPage(blocksOf('docs/guides/tutorial.md'))

/** What the first request of each step gets, as the page shows it. */
export const FIRST_BODIES = [
  'Hello, world!',
  'Hello, Ada!\nGreeted by WSGI.',
  'Hello, Ada Lovelace!\nGreeted by WSGI.',
  'Hello, Ada!\nGreeted by WSGI.',
  'Hello, Ada!\nGreeted by WSGI.',
  'Hello, Ada!',
  'Noted: Buy milk',
  'All is well',
]

/** The playground of a step. */
export const stepOn = (page: Page, step: number): Locator => page.locator(`#mp-${step}`)

/** What the playground says about the last run. */
export const status = (view: Locator): Promise<string> => view.locator('.mp-status').innerText()

/** Waits for the end of a run, in the page: to ask it again and again takes as long as the run. */
export async function idle(view: Locator): Promise<void> {
  await within('the end of the run', 60_000, view.evaluate(becomesIdle))
}

/** Runs the program. @returns what the playground says then */
export async function run(view: Locator): Promise<string> {
  await view.getByRole('button', { name: 'Run', exact: true }).click()
  await idle(view)
  return await status(view)
}

/**
 * Runs a program that does not end. The clock of the page goes forward by the time that it may
 * take: a loop would use a processor for all of that.
 *
 * @returns what the playground says then
 */
export async function runLate(view: Locator): Promise<string> {
  const { clock } = view.page()
  await clock.install()
  await view.getByRole('button', { name: 'Run', exact: true }).click()
  await waitFor('the end of the run', async () => {
    await clock.fastForward(RUN_LIMIT)
    return (await view.getAttribute('aria-busy')) === null
  })
  return await status(view)
}

/** Checks the task. @returns what the playground says then */
export async function check(view: Locator): Promise<string> {
  await view.getByRole('button', { name: 'Check the task' }).click()
  await idle(view)
  return await status(view)
}

export async function choose(view: Locator, language: Language): Promise<void> {
  const name = language === 'python' ? 'Python' : 'TypeScript'
  await view.getByRole('button', { name, exact: true }).click()
}

/** Types a whole file into the editor. */
export async function type(view: Locator, file: string, text: string): Promise<void> {
  await view.getByRole('tab', { name: file }).click()
  await view.locator('.cm-content').focus()
  await view.page().keyboard.press('Control+a')
  // Over a selection, WebDriver types one more line into Firefox.
  await view.page().keyboard.press('Delete')
  await view.page().keyboard.insertText(text)
  // The editor looks at what was typed a moment later.
  await within('the editor to keep the text', 25_000, view.page().evaluate(becomesKept, text))
}

/** Types the files that the edits change, from what the tutorial says. */
export async function typeAnswer(view: Locator, edits: readonly Edit[]): Promise<void> {
  const changed = applyEdits(Object.fromEntries(tutorial), edits)
  for (const file of new Set(edits.map((each) => each.file))) await type(view, file, changed[file]!)
}

/** Of a page, what the functions below need; the tests have the types of Node.js only. */
interface PageScope {
  readonly localStorage: Readonly<Record<string, string | undefined>>
  readonly MutationObserver: new (
    changed: () => void,
  ) => { observe(node: object, options: { attributeFilter: string[] }): void }
}

/** Waits until nothing runs in the playground of a step. Runs in the page. */
function becomesIdle(view: { hasAttribute(name: string): boolean }): Promise<void> {
  const { MutationObserver } = globalThis as unknown as PageScope
  return new Promise((resolve) => {
    const look = () => {
      if (!view.hasAttribute('aria-busy')) resolve()
    }
    new MutationObserver(look).observe(view, { attributeFilter: ['aria-busy'] })
    look()
  })
}

/** Waits until the text of a file is in localStorage. Runs in the page. */
async function becomesKept(text: string): Promise<void> {
  const { localStorage } = globalThis as unknown as PageScope
  for (;;) {
    const kept = localStorage['monoceros-tutorial-1']
    const steps: Record<string, string>[] = Object.values(JSON.parse(kept ?? '{}'))
    if (steps.some((files) => Object.values(files).includes(text))) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

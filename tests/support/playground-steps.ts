import type { Locator, Page } from 'playwright-core'
import type { Language } from '../../site/playground/steps/types.ts'
import { blocksOf, filesOnPage } from './page-blocks.ts'
import { applyEdits, type Edit } from './tutorial-answers.ts'
import { waitFor } from './wait-for.ts'

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

/** Waits for the end of a run. */
export async function idle(view: Locator): Promise<void> {
  await waitFor(
    'the end of the run',
    async () => (await view.getAttribute('aria-busy')) === null,
    60_000,
  )
}

/** Runs the program. @returns what the playground says then */
export async function run(view: Locator): Promise<string> {
  await view.getByRole('button', { name: 'Run', exact: true }).click()
  await idle(view)
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
  await waitFor('the editor to keep the text', () => view.page().evaluate(isKept, text))
}

/** Types the files that the edits change, from what the tutorial says. */
export async function typeAnswer(view: Locator, edits: readonly Edit[]): Promise<void> {
  const changed = applyEdits(Object.fromEntries(tutorial), edits)
  for (const file of new Set(edits.map((each) => each.file))) await type(view, file, changed[file]!)
}

/** Whether the text of a file is in localStorage. Runs in the page. */
function isKept(text: string): boolean {
  const kept = (globalThis as unknown as { localStorage: Record<string, string | undefined> })
    .localStorage['monoceros-tutorial-1']
  const steps: Record<string, string>[] = Object.values(JSON.parse(kept ?? '{}'))
  return steps.some((files) => Object.values(files).includes(text))
}

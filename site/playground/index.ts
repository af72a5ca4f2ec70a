/**
 * The playground of the tutorial: an editor, a Run button, an HTTP client and the checks of a step.
 * Everything runs in the page, with no server. Nothing here knows the site around it.
 *
 * `node site/playground/build.mjs --to DIR` builds it into a folder of files that all come from the
 * site itself. A page loads `playground.js` from there, and `playground.css`:
 *
 * @example
 * const { mountStep } = await import(`${base}playground/playground.js`)
 * const step = mountStep(element, { step: 1, language: 'python' })
 * step.setLanguage('typescript')
 * step.destroy()
 */
import { StepView } from './step-view.ts'
import type { Language } from './steps/step.ts'

export type { Language } from './steps/step.ts'

/** What {@link mountStep} is told. */
export interface MountOptions {
  /** 1 to 8, as the tutorial counts them. */
  readonly step: number
  readonly language: Language
  /** The URL of the folder that has the playground's files. Defaults to that of this script. */
  readonly files?: string
  /** The URL of the folder that has a page for each code of an error, such as `MONO2003.html`. */
  readonly errors?: string
  /** Called when the reader chooses the other language in the playground. */
  readonly onLanguage?: (language: Language) => void
  /**
   * Saves what the reader has written: a button for it is there if this is given.
   *
   * @returns what happened, for the reader
   */
  readonly save?: (project: WrittenProject) => Promise<string>
}

/** What the reader has written in a step. */
export interface WrittenProject {
  readonly step: number
  readonly language: Language
  /** Texts by the names of files. */
  readonly files: Readonly<Record<string, string>>
  /** What runs it in the folder of the files, such as `monoceros hello:app`. */
  readonly command: string
}

/** A step that is on the page. */
export interface MountedStep {
  setLanguage(language: Language): void
  /** Removes everything from the element. What the reader has written stays in localStorage. */
  destroy(): void
}

/**
 * Puts the playground of one step into an element, which should be empty.
 *
 * @throws RangeError for a step that does not exist
 */
export function mountStep(element: HTMLElement, options: MountOptions): MountedStep {
  return new StepView(element, options)
}

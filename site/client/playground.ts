import { chooseLanguage, chosenLanguage, type Language, onLanguage } from './languages.ts'
import { saveProject, type WrittenProject } from './save.ts'

/** What `playground/index.ts` exports, which is built for itself and loaded by its address. */
interface Playground {
  mountStep(
    element: HTMLElement,
    options: {
      readonly step: number
      readonly language: Language
      readonly files: string
      readonly errors: string
      onLanguage(language: Language): void
      save(project: WrittenProject): Promise<string>
    },
  ): { setLanguage(language: Language): void; destroy(): void }
}

/** What ends the playgrounds of the page before. */
let leave = () => {}

/**
 * Puts the playground into the places that the tutorial has for it. Its script is loaded when
 * there are any.
 *
 * @param base the path of the site, such as `/`
 */
export async function mountPlaygrounds(base: string): Promise<void> {
  leave()
  leave = () => {}
  const places = [...document.querySelectorAll<HTMLElement>('[data-playground-step]')]
  if (places.length === 0) return
  const files = new URL(`${base}playground/`, location.href).href
  addStyle(`${files}playground.css`)
  const { mountStep }: Playground = await import(/* @vite-ignore */ `${files}playground.js`)
  const steps = places
    // The reader may have gone on to another page.
    .filter((place) => place.isConnected && place.childElementCount === 0)
    .map((place) =>
      mountStep(place, {
        step: Number(place.dataset.playgroundStep),
        language: chosenLanguage(),
        files,
        errors: `${base}errors/`,
        onLanguage: chooseLanguage,
        save: (project) => saveProject(base, project),
      }),
    )
  const forget = onLanguage((language) => {
    for (const step of steps) step.setLanguage(language)
  })
  leave = () => {
    forget()
    for (const step of steps) step.destroy()
  }
}

function addStyle(href: string): void {
  if (document.querySelector(`link[href="${href}"]`) !== null) return
  document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href }))
}

/** The language that the reader wants: tabs show it on every page, also after a reload. */
export type Language = 'python' | 'typescript'

const KEY = 'monoceros-language'
const listeners = new Set<(language: Language) => void>()

/**
 * What a page runs before it is shown, so that the tabs do not jump. It is a text, because it
 * stands in a file of its own.
 */
export const EARLY_SCRIPT = `document.documentElement.dataset.language =
  (() => { try { return localStorage.getItem('${KEY}') } catch {} })() === 'typescript'
    ? 'typescript' : 'python'`

export function chosenLanguage(): Language {
  return document.documentElement.dataset.language === 'typescript' ? 'typescript' : 'python'
}

/** Shows a language on the whole page, and remembers it. */
export function chooseLanguage(language: Language): void {
  document.documentElement.dataset.language = language
  try {
    localStorage.setItem(KEY, language)
  } catch {
    // Without storage, it is chosen for this page only.
  }
  markTabs()
  for (const listener of listeners) listener(language)
}

/** @returns a function that ends it */
export function onLanguage(listener: (language: Language) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Says which tabs are selected: after each change of the page's content. */
export function markTabs(): void {
  const chosen = chosenLanguage()
  for (const tab of document.querySelectorAll<HTMLElement>('.language-tabs [role=tab]')) {
    const isChosen = tab.dataset.language === chosen
    tab.setAttribute('aria-selected', String(isChosen))
    tab.tabIndex = isChosen ? 0 : -1
  }
}

/** Makes the tabs of all pages work: by the pointer, and by the keys of the pattern "tabs". */
export function listenToTabs(): void {
  document.addEventListener('click', ({ target }) => {
    const tab = tabOf(target)
    if (tab !== null) choose(tab)
  })
  document.addEventListener('keydown', (event) => {
    const tab = tabOf(event.target)
    if (tab === null || event.altKey || event.ctrlKey || event.metaKey) return
    const tabs = [...(tab.parentElement?.querySelectorAll<HTMLElement>('[role=tab]') ?? [])]
    const at = tabs.indexOf(tab)
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key]
    const wanted = next === undefined ? undefined : tabs.at(next % tabs.length)
    if (wanted === undefined) return
    event.preventDefault()
    choose(wanted)
    wanted.focus()
  })
}

/** The tab stays where it is on the screen, although panels above it change their height. */
function choose(tab: HTMLElement): void {
  const before = tab.getBoundingClientRect().top
  chooseLanguage(tab.dataset.language as Language)
  window.scrollBy({ top: tab.getBoundingClientRect().top - before, behavior: 'instant' })
}

function tabOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('.language-tabs [role=tab]') : null
}

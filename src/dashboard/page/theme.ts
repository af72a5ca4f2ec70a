import { byId } from './dom.ts'

const KEY = 'monoceros-theme'

/** Light or dark: as the system, or as the user has chosen. */
export function followTheme(changed: () => void): void {
  const select = byId<HTMLSelectElement>('theme')
  const system = matchMedia('(prefers-color-scheme: dark)')
  select.value = stored() ?? 'auto'
  const apply = () => {
    const isDark = select.value === 'dark' || (select.value !== 'light' && system.matches)
    document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
    changed()
  }
  select.addEventListener('change', () => {
    try {
      localStorage.setItem(KEY, select.value)
    } catch {
      // The browser keeps nothing; the choice is for this page.
    }
    apply()
  })
  system.addEventListener('change', apply)
  apply()
}

function stored(): string | null {
  try {
    const value = localStorage.getItem(KEY)
    return value === 'light' || value === 'dark' ? value : null
  } catch {
    return null
  }
}

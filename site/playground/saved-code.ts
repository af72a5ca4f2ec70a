import type { Language } from './steps/types.ts'

/** What the reader has changed, by step, language and file. */
export type Files = Readonly<Record<string, string>>

/** The version is in the key: what another version has written is left alone. */
const KEY = 'monoceros-tutorial-1'
/** The most characters of a file, and of everything. */
export const FILE_LIMIT = 32 * 1024
const TOTAL_LIMIT = 512 * 1024

type Storage_ = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/**
 * Keeps what the reader writes in the browser's localStorage. Without one (a private window, no
 * space) it keeps nothing, and nothing fails.
 */
export class SavedCode {
  readonly #storage: Storage_ | null

  constructor(storage: Storage_ | null = ownStorage()) {
    this.#storage = storage
  }

  /** The files of a step that differ from the tutorial's. Anything malformed counts as nothing. */
  read(step: number, language: Language): Files {
    return this.#all()[`${step} ${language}`] ?? {}
  }

  /** Replaces them. Returns false if they could not be kept. */
  write(step: number, language: Language, files: Files): boolean {
    if (this.#storage === null) return false
    const all = { ...this.#all() }
    const name = `${step} ${language}`
    if (Object.keys(files).length === 0) delete all[name]
    else all[name] = files
    const text = JSON.stringify(all)
    if (text.length > TOTAL_LIMIT) return false
    try {
      if (Object.keys(all).length === 0) this.#storage.removeItem(KEY)
      else this.#storage.setItem(KEY, text)
      return true
    } catch {
      return false // there is no space
    }
  }

  #all(): Record<string, Files> {
    let text: string | null = null
    try {
      text = this.#storage?.getItem(KEY) ?? null
    } catch {
      return {}
    }
    if (text === null || text.length > TOTAL_LIMIT) return {}
    try {
      return validSteps(JSON.parse(text))
    } catch {
      return {}
    }
  }
}

function validSteps(value: unknown): Record<string, Files> {
  if (typeof value !== 'object' || value === null) return {}
  const steps: Record<string, Files> = {}
  for (const [name, files] of Object.entries(value)) {
    const valid = validFiles(files)
    if (/^[1-8] (python|typescript)$/.test(name) && valid !== null) steps[name] = valid
  }
  return steps
}

/** The same value if it is an object of texts that are short enough, otherwise null. */
export function validFiles(value: unknown): Files | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const entries = Object.entries(value)
  const valid = entries.every(
    ([name, text]) =>
      /^[\w.]{1,40}$/.test(name) && typeof text === 'string' && text.length <= FILE_LIMIT,
  )
  return valid ? Object.fromEntries(entries) : null
}

function ownStorage(): Storage_ | null {
  try {
    return localStorage
  } catch {
    return null
  }
}

/** INI files in the form of Python's `configparser`, as far as logging needs it. */

/** An INI file. */
export interface PythonIni {
  /**
   * The value of an option with its `%(name)s` replaced and `%%` as a percent sign; undefined if
   * there is none, or if a name is not defined.
   */
  get(section: string, option: string): string | undefined
  /** The value as it is in the file. */
  raw(section: string, option: string): string | undefined
}

/** The section whose options every section has. */
const DEFAULT = 'DEFAULT'
/** So many values may stand within each other, as in Python. */
const DEEPEST = 10

/**
 * Reads an INI file.
 *
 * @param defaults options that every section has, with names in lower case
 * @returns null if Python would not read it
 * @example
 * readPythonIni('[logger_root]\nlevel: INFO')?.get('logger_root', 'level') // 'INFO'
 */
export function readPythonIni(
  text: string,
  defaults: Readonly<Record<string, string>> = {},
): PythonIni | null {
  const sections = new Map([[DEFAULT, new Map(Object.entries(defaults))]])
  const seen = new Set<string>()
  let options: Map<string, string> | null = null
  let sectionName = ''
  let option: string | null = null
  let indentation = 0
  for (const line of text.split(/\r\n|\r|\n/)) {
    const content = line.trim()
    if (/^[#;]/.test(content)) continue
    if (content === '') {
      // An empty line within a value belongs to it.
      if (option !== null) options!.set(option, `${options!.get(option)}\n`)
      continue
    }
    const depth = line.length - line.trimStart().length
    if (option !== null && depth > indentation) {
      options!.set(option, `${options!.get(option)}\n${content}`)
      continue
    }
    indentation = depth
    option = null
    const header = /^\[([^\]]+)\]/.exec(content)?.[1]
    if (header !== undefined) {
      if (header !== DEFAULT && sections.has(header)) return null
      sectionName = header
      options = sections.get(header) ?? new Map()
      sections.set(header, options)
      continue
    }
    const [, name, value] = /^([^=:]+?)\s*[=:]\s*(.*)$/.exec(content) ?? []
    if (name === undefined || options === null) return null
    option = name.toLowerCase()
    const key = `${sectionName}\n${option}`
    if (seen.has(key)) return null
    seen.add(key)
    options.set(option, value!)
  }
  const raw = (section: string, name: string) => {
    const own = sections.get(section)
    return own === undefined
      ? undefined
      : (own.get(name) ?? sections.get(DEFAULT)!.get(name))?.trimEnd()
  }
  const get = (section: string, name: string, depth = 0): string | undefined => {
    const value = raw(section, name)
    if (value === undefined || depth >= DEEPEST) return undefined
    let broken = false
    const replaced = value.replace(/%(?:%|\(([^)]+)\)s)?/g, (found, inner?: string) => {
      if (found === '%%') return '%'
      const text = inner === undefined ? undefined : get(section, inner.toLowerCase(), depth + 1)
      if (text === undefined) broken = true
      return text ?? ''
    })
    return broken ? undefined : replaced
  }
  return { raw, get: (section, name) => get(section, name) }
}

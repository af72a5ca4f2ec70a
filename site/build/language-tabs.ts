import type { MarkdownRenderer } from 'vitepress'

type State = Parameters<Parameters<MarkdownRenderer['core']['ruler']['push']>[1]>[0]
type Token = State['tokens'][number]

/** The languages that stand in tabs, by the names that blocks have. */
const LANGUAGES: Readonly<Record<string, string>> = {
  python: 'python',
  py: 'python',
  ts: 'typescript',
  typescript: 'typescript',
  js: 'typescript',
  mjs: 'typescript',
}
const NAMES: Readonly<Record<string, string>> = { python: 'Python', typescript: 'TypeScript' }

/**
 * Puts a block in Python and the block in TypeScript that follows it into tabs, each with the
 * `text` block behind it that has its output. In the Markdown they stay blocks below each other.
 *
 * `client/languages.ts` chooses the tab. Without it, and in print, both are shown.
 */
export function languageTabs(md: MarkdownRenderer): void {
  md.core.ruler.push('language-tabs', (state) => {
    const tokens: Token[] = []
    let groups = 0
    for (let at = 0; at < state.tokens.length; ) {
      const group = groupAt(state.tokens, at)
      if (group === undefined) {
        const token = state.tokens[at++] as Token
        if (token.type === 'fence') tokens.push(...titled(state, token))
        else tokens.push(token)
        continue
      }
      groups++
      const languages = group.map(([language]) => language)
      tokens.push(html(state, openTabs(languages, groups)))
      for (const [language, blocks] of group) {
        tokens.push(html(state, openPanel(language, groups)))
        for (const block of blocks) tokens.push(...titled(state, block))
        tokens.push(html(state, '</div>\n'))
      }
      tokens.push(html(state, '</div>\n'))
      at += group.reduce((count, [, blocks]) => count + blocks.length, 0)
    }
    state.tokens = tokens
  })
}

/** The blocks of each language, if those at `at` belong into tabs. */
function groupAt(tokens: readonly Token[], at: number): [string, Token[]][] | undefined {
  const group: [string, Token[]][] = []
  for (let next = at; tokens[next]?.type === 'fence'; ) {
    const language = languageOf(tokens[next])
    if (language === undefined || group.some(([known]) => known === language)) break
    const blocks = [tokens[next++] as Token]
    // Output belongs to the first only if the second has one as well.
    if (isOutput(tokens[next]) && (group.length === 0 || group[0]?.[1].length === 2)) {
      blocks.push(tokens[next++] as Token)
    }
    group.push([language, blocks])
  }
  const complete = group.length === 2 && group[0]?.[1].length === group[1]?.[1].length
  return complete ? group : undefined
}

function languageOf(token: Token | undefined): string | undefined {
  // A command that serves the program of one language.
  const served = /\bserve=(python|typescript)\b/.exec(token?.info ?? '')?.[1]
  if (served !== undefined) return served
  return LANGUAGES[token?.info.trim().split(/\s/)[0] ?? '']
}

function isOutput(token: Token | undefined): boolean {
  return token?.type === 'fence' && token.info.trim() === 'text'
}

/** A block, below the name of its file if it has one. */
function titled(state: State, block: Token): Token[] {
  const file = /\bfile=(\S+)/.exec(block.info)?.[1]
  if (file === undefined) return [block]
  const name = state.md.utils.escapeHtml(file)
  return [html(state, `<div class="code-file">${name}</div>\n`), block]
}

function openTabs(languages: readonly string[], group: number): string {
  const tabs = languages.map(
    (language, index) =>
      `<button type="button" role="tab" id="tab-${group}-${language}" ` +
      `aria-controls="panel-${group}-${language}" aria-selected="${index === 0}" ` +
      `tabindex="${index === 0 ? 0 : -1}" data-language="${language}">${NAMES[language]}</button>`,
  )
  return (
    '<div class="language-tabs">' +
    `<div class="language-tabs-list" role="tablist" aria-label="Language">${tabs.join('')}</div>\n`
  )
}

function openPanel(language: string, group: number): string {
  return (
    `<div class="language-tabs-panel" role="tabpanel" id="panel-${group}-${language}" ` +
    `aria-labelledby="tab-${group}-${language}" data-language="${language}">\n`
  )
}

function html(state: State, content: string): Token {
  const token = new state.Token('html_block', '', 0)
  token.content = content
  token.block = true
  return token
}

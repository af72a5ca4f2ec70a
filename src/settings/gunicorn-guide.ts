/**
 * The tables of `docs/guides/from-gunicorn.md`: each setting of Gunicorn with what it is here.
 * `npm run docs` writes them.
 */
import type { SettingDefinition } from './definition.ts'
import { gunicornDifferences } from './gunicorn-differences.ts'
import { type GunicornFact, gunicornFacts } from './gunicorn-facts.ts'
import { type GunicornSetting, gunicornSettings } from './gunicorn-settings.ts'
import { settingsTable } from './table.ts'

const BEGIN = '<!-- settings of Gunicorn: generated from src/settings by `npm run docs` -->'
const END = '<!-- /settings of Gunicorn -->'

/** What becomes of a setting of Gunicorn here. */
export type Verdict = 'same' | 'different' | 'unneeded' | 'refused'

/** A setting of Gunicorn, as the guide shows it. */
export interface GuideRow {
  readonly fact: GunicornFact
  readonly verdict: Verdict
  /** The difference, the reason, or what to use instead; empty if it is the same. */
  readonly text: string
}

/** Every setting of Gunicorn, in its order. */
export function guideRows(): readonly GuideRow[] {
  return gunicornFacts.map((fact) => {
    const difference = gunicornDifferences[fact.name]
    const foreign = gunicornSettings.find(({ name }) => name === fact.name)
    if (foreign !== undefined) {
      const verdict = foreign.ignored === false ? 'refused' : 'unneeded'
      return { fact, verdict, text: advice(foreign) }
    }
    if (ourSetting(fact) === undefined) throw new Error(`${fact.name} is in no table`)
    return difference === undefined
      ? { fact, verdict: 'same', text: '' }
      : { fact, verdict: 'different', text: difference }
  })
}

/** Our setting for one of Gunicorn; undefined if there is none. */
export function ourSetting(fact: GunicornFact): SettingDefinition | undefined {
  return (settingsTable as readonly SettingDefinition[]).find(
    ({ name, gunicornName }) => name === fact.name || gunicornName === fact.name,
  )
}

/**
 * Puts the current tables between the markers of the guide.
 *
 * @param page the text of `docs/guides/from-gunicorn.md`
 */
export function withGunicornSettings(page: string): string {
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END)
  if (from === -1 || to < from) throw new Error('docs/guides/from-gunicorn.md has lost its markers')
  return `${page.slice(0, from)}${BEGIN}\n\n${tables()}\n\n${page.slice(to)}`
}

function tables(): string {
  const rows = guideRows()
  const of = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict)
  const count = (verdict: Verdict) => `${of(verdict).length} of ${rows.length} settings`
  return [
    `### The same\n\n${count('same')}.`,
    table(['setting', 'flags'], of('same'), ({ fact }) => [named(fact), flags(fact)]),
    `### With a difference\n\n${count('different')}.`,
    table(['setting', 'flags', 'here'], of('different'), ({ fact, text }) => [
      named(fact),
      flags(fact),
      text,
    ]),
    `### Without effect\n\n${count('unneeded')}: they are accepted, and a note at start says why.`,
    grouped('why', of('unneeded')),
    '### Not here\n\n' +
      `${count('refused')}: they are an error, unless they have Gunicorn's default.`,
    grouped('what to use', of('refused')),
    `### New here\n\n${newFlags().join(', ')}.`,
  ].join('\n\n')
}

/** The flags of the settings that Gunicorn does not have. */
function newFlags(): string[] {
  const known = new Set(gunicornFacts.map((fact) => ourSetting(fact)))
  return (settingsTable as readonly SettingDefinition[])
    .filter((setting) => !setting.command && !known.has(setting))
    .flatMap(({ name, flags: own, offFlag, default: usual }) => {
      const flag = usual === true ? offFlag : own.find((one) => one.startsWith('--'))
      return flag === undefined ? [] : [`[\`${flag}\`](../reference/settings.md#${name})`]
    })
}

function table(
  heads: readonly string[],
  rows: readonly GuideRow[],
  cells: (row: GuideRow) => readonly string[],
): string {
  const lines = [heads, heads.map(() => '---'), ...rows.map(cells)]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** One line for all settings with the same text. */
function grouped(head: string, rows: readonly GuideRow[]): string {
  const groups = new Map<string, string[]>()
  for (const { fact, text } of rows) {
    const name = fact.flags.length === 0 ? named(fact) : `${named(fact)} (${flags(fact)})`
    groups.set(text, [...(groups.get(text) ?? []), name])
  }
  const lines = [...groups].map(([text, names]) => `| ${names.join(', ')} | ${text} |`)
  return [`| settings | ${head} |`, '| --- | --- |', ...lines].join('\n')
}

function advice({ ignored, advice: text, adviceIgnored }: GunicornSetting): string {
  if (typeof ignored === 'boolean') return text
  const values = ignored.map((value) => `\`${value}\``).join(', ')
  return `${values}: ${adviceIgnored ?? text}. Anything else is an error: ${text}`
}

function named({ name }: GunicornFact): string {
  return `\`${name}\``
}

function flags(fact: GunicornFact): string {
  return fact.flags.length === 0 ? '–' : fact.flags.map((flag) => `\`${flag}\``).join(', ')
}

import { type Difference, type PepCase, sections, type TypeScriptDifference } from './case.ts'

/** The results of a run, by the id of the case. */
export type Seen = ReadonlyMap<string, string>

/** The version of gunicorn whose differences are recorded. */
export const comparedGunicorn = '27.0.1'

const meanings: Readonly<Record<Difference['weAre'], string>> = {
  conforms: 'Monoceros does what the PEP (or the RFC behind it) requires, and gunicorn does not',
  stricter: 'Monoceros refuses what gunicorn accepts',
  laxer: 'Monoceros accepts what gunicorn refuses',
  choice: 'the PEP allows both',
}

const reasons: Readonly<Record<TypeScriptDifference['because'], string>> = {
  words: 'the rule holds, but the result has another name',
  language: 'the subject of the case does not exist in TypeScript, or is something else there',
  choice: 'the PEP allows both',
}

/** Python's terms, and what the applications in TypeScript use instead. */
const translations: readonly (readonly [python: string, typescript: string])[] = [
  ['`str`', '`string`'],
  ['`bytes`', '`Uint8Array`'],
  ['`bytearray`, `memoryview`', '`ArrayBuffer`, `DataView`'],
  ['`list`, `tuple`', 'an array, a frozen array'],
  ['`dict`', 'a plain object; if it is iterated over, `keys()` of a `Map`'],
  ['`None`', '`null`; as an argument, `undefined`'],
  ['`__call__`', 'a method `wsgi`'],
  ['`__iter__`', '`Symbol.iterator`, or `Symbol.asyncIterator` if it waits for something'],
  ['`sys.exc_info()`', 'the error'],
  ['`time.sleep()`', 'a promise'],
  ['`print(file=…)`', 'a `Console`'],
  ['a file object', 'an object with `read(size)`'],
  ['`wsgiref.validate`', '`validator`'],
  ['`os.environ`', '`process.env`'],
]

/**
 * The reference page: one row for each case, by section of the PEP.
 *
 * @param ours the results of Monoceros
 * @param gunicorn the results of gunicorn
 * @returns Markdown.
 */
export function page(table: readonly PepCase[], ours: Seen, gunicorn: Seen): string {
  const elsewhere = table.filter((row) => row.typescript)
  const because = Object.entries(reasons).map(([reason, meaning]) => {
    const count = elsewhere.filter((row) => row.typescript?.because === reason).length
    return `| ${reason} | ${meaning} | ${count} |`
  })
  const differing = table.filter((row) => row.gunicorn)
  const counts = Object.entries(meanings).map(([weAre, meaning]) => {
    const count = differing.filter((row) => row.gunicorn?.weAre === weAre).length
    return `| ${weAre} | ${meaning} | ${count} |`
  })
  return `${[
    '# PEP 3333, case by case',
    '',
    'Every sentence of [PEP 3333](https://peps.python.org/pep-3333/) that a server can break, ' +
      `tested on Monoceros and on gunicorn ${comparedGunicorn} with the same applications and ` +
      'the same bytes over real sockets.',
    'The tests write this page (`PEP3333_WRITE=1 npx vitest run ' +
      'tests/release/pep3333-gunicorn.test.ts`), and fail if it differs from their results.',
    '',
    'The TypeScript column is for the same applications in TypeScript.',
    'Each runs as it is, and again with a promise or an asynchronous iterable wherever the ' +
      'contract allows one; `tests/e2e/pep3333-typescript.test.ts` checks every entry.',
    '',
    `There are ${table.length} cases.`,
    `Gunicorn does the same in ${table.length - differing.length}; in the others:`,
    '',
    '| Monoceros | which means | cases |',
    '| --- | --- | --- |',
    ...counts,
    '',
    'An application in TypeScript sees the same as one in Python in ' +
      `${table.length - elsewhere.length}; in the others:`,
    '',
    '| because of | which means | cases |',
    '| --- | --- | --- |',
    ...because,
    '',
    ...embeddedLines(table),
    '',
    'The cases use the terms of Python; in TypeScript they are:',
    '',
    '| Python | TypeScript |',
    '| --- | --- |',
    ...translations.map(([python, typescript]) => `| ${python} | ${typescript} |`),
    '',
    'If another case has the same name with `-lenient` at its end, the first is for Monoceros ' +
      'with `--strict`, and the other one is for Monoceros without it.',
    '',
    'A bare status (`500`) is the server\u2019s own error page.',
    '`refused` and `accepted` tell whether `start_response` raised an error.',
    ...sections.flatMap((section) =>
      sectionLines(
        section,
        table.filter((row) => row.section === section),
        ours,
        gunicorn,
      ),
    ),
  ].join('\n')}\n`
}

/** The differences of the embedded interpreter: too few for a column of their own. */
function embeddedLines(table: readonly PepCase[]): string[] {
  const elsewhere = table.flatMap((row) =>
    row.embedded ? [{ ...row, embedded: row.embedded }] : [],
  )
  return [
    'On the embedded Python (`--runtime pyodide`) the same applications do the same in ' +
      `${table.length - elsewhere.length} cases (\`tests/embedded/pep3333-embedded.test.ts\`).`,
    'In the others, the embedded Python lacks something that the system\u2019s Python has:',
    '',
    '| case | the PEP says | on the embedded Python | lacks | why |',
    '| --- | --- | --- | --- | --- |',
    ...elsewhere.map(({ id, level, rule, embedded }) => {
      return (
        `| ${id} | ${level}: ${cell(rule)} | ${code(embedded.sees)} | ${embedded.because} | ` +
        `${cell(embedded.why)} |`
      )
    }),
  ]
}

function sectionLines(
  section: string,
  rows: readonly PepCase[],
  ours: Seen,
  gunicorn: Seen,
): string[] {
  if (rows.length === 0) return []
  return [
    '',
    `## ${section}`,
    '',
    '| case | the PEP says | Python | TypeScript | gunicorn | why |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => {
      const mine = ours.get(row.id) ?? ''
      const theirs = gunicorn.get(row.id) ?? ''
      const why = [
        row.gunicorn ? `**${row.gunicorn.weAre}**: ${cell(row.gunicorn.why)}` : '',
        row.typescript
          ? `**TypeScript, ${row.typescript.because}**: ${cell(row.typescript.why)}`
          : '',
      ].filter(Boolean)
      const inTypeScript = row.typescript?.sees ?? row.expect
      const beside = (seen: string) => (seen === mine ? 'the same' : code(seen))
      return (
        `| ${row.id} | ${row.level}: ${cell(row.rule)} | ${code(mine)} | ` +
        `${beside(inTypeScript)} | ${beside(theirs)} | ${why.join(' ')} |`
      )
    }),
  ]
}

function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('*', '\\*')
    .replaceAll('_', '\\_')
    .replaceAll('<', '&lt;')
}

function code(text: string): string {
  // A tab or another control character would be lost in a code span; latin-1 stays as it is.
  const visible = text.replace(/\p{Cc}/gu, (char) => {
    return `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`
  })
  const fence = visible.includes('`') ? '``' : '`'
  return `${fence}${visible.replaceAll('|', '\\|')}${fence}`
}

/** How the search ranks what it finds: the options of minisearch that VitePress takes by default. */

/** Words of a question that say nothing about what is looked for. */
const FILLERS = new Set(
  'a an the i my me you your it is are do does did how what why where when can could should to of in on for with and or'.split(
    ' ',
  ),
)

/** What people look for stands in guides; what was measured, decided or changed comes last. */
const WEIGHTS: readonly (readonly [page: RegExp, weight: number])[] = [
  [/\/errors\/MONO/, 1.5],
  [/\/(guides|learn)\//, 1.5],
  [/\/reference\//, 0.8],
  [/\/(CHANGELOG|changelog|decisions|reports|design|endurance|performance)\b/, 0.3],
]

/** @internal the weight of a page, by its address in the site */
export function weightOf(id: string): number {
  return WEIGHTS.find(([page]) => page.test(id))?.[1] ?? 1
}

export const searchOptions = {
  prefix: true,
  // A code or a status with one other digit is another one.
  fuzzy: (term: string) => (/\d/.test(term) ? false : 0.2),
  boost: { title: 6, text: 2, titles: 3 },
  boostDocument: weightOf,
  /** Leaves fillers out; the index has them, so one that stands alone is not found. */
  processTerm: (term: string) => {
    const lower = term.toLowerCase()
    return FILLERS.has(lower) ? null : lower
  },
}

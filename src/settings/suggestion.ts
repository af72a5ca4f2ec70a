/**
 * The word that was probably meant: the one with the fewest changed, added, missing or swapped
 * letters, if these are few for the length of the word; or else the only one that begins with it.
 *
 * @example closest('--wrokers', ['--workers', '--threads']) // '--workers'
 */
export function closest(word: string, known: readonly string[]): string | undefined {
  const plain = normal(word)
  // A single letter is equally close to every other.
  if (plain.length < 2) return undefined
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(plain, normal(candidate))
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  if (best !== undefined) return best
  const longer = longerThan(plain, known)
  return longer.length === 1 ? longer[0] : undefined
}

/** ` (did you mean X?)`, with a few words if all of them begin like that; or an empty text. */
export function didYouMean(word: string, known: readonly string[]): string {
  const suggestion = closest(word, known)
  const words = suggestion === undefined ? longerThan(normal(word), known) : [suggestion]
  return words.length < 1 || words.length > 3 ? '' : ` (did you mean ${words.join(' or ')}?)`
}

function longerThan(plain: string, known: readonly string[]): string[] {
  return plain.length < 3 ? [] : known.filter((one) => normal(one).startsWith(plain))
}

function normal(word: string): string {
  return word.replace(/^-+/, '').replace(/[A-Z]/g, '_$&').replaceAll('-', '_').toLowerCase()
}

/** Optimal string alignment distance: Levenshtein's, with a swap of neighbours as one change. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1)
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}

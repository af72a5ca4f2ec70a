/**
 * The value below which that share of all values lies (nearest rank); NaN of none.
 *
 * @param share From 0 to 1: 0.5 is the median.
 * @example quantile([3, 1, 2], 0.5) // 2
 */
export function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** The middle one of a few measurements. */
export function median(values: number[]): number {
  return quantile(values, 0.5)
}

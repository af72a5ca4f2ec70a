/** More than the number of rules whose violation is tolerated. */
const MAX_RULES = 64

/**
 * Decides which violations of PEP 3333 are logged: each rule once. All workers run the same
 * application, and each reports a rule once.
 */
export class ViolationLog {
  readonly #rules = new Set<string>()

  /** Whether this is the first violation of that rule. */
  isNew(rule: string): boolean {
    if (this.#rules.has(rule) || this.#rules.size >= MAX_RULES) return false
    this.#rules.add(rule)
    return true
  }

  /** From now on it may be another application. */
  clear(): void {
    this.#rules.clear()
  }
}

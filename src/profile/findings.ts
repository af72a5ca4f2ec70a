/**
 * A profile of stacks, in the form in which workers send it (`python/monoceros/stack_profile.py`)
 * and in which profiles are added up.
 */

/** Its name, its file, and the line at which it begins (0 if unknown). */
export type ProfiledFunction = readonly [name: string, file: string, line: number]

/**
 * One stack: the number of its route, microseconds in which it ran and in which it waited, how
 * often it was seen, and then, from the outermost call to the innermost, the number of the function
 * and the line.
 */
export type StackRow = readonly number[]

/** Where the numbers of a {@link StackRow} begin to be functions and lines. */
export const FRAMES_AT = 4

/** `wall`: the time that passed. `cpu`: only that in which the application ran. */
export type Weight = 'wall' | 'cpu'

/** Microseconds of a stack. */
export function timeOf(row: StackRow, weight: Weight): number {
  return weight === 'cpu' ? row[1] : row[1] + row[2]
}

/** What was sampled in one or more processes. */
export interface StackFindings {
  readonly routes: readonly string[]
  readonly functions: readonly ProfiledFunction[]
  readonly stacks: readonly StackRow[]
  /** How long, in seconds; of several processes, the longest. */
  readonly seconds: number
  readonly samples: number
  /** Processor time that taking the samples took, in seconds. */
  readonly cost: number
  /** How many processes are added up. */
  readonly processes: number
}

/** The stacks that an added-up profile keeps apart. */
const MOST_STACKS = 20_000
const MOST_ROUTES = 500
const OTHER_STACKS = '(other stacks)'
const OTHER_PATHS = '(other paths)'

/**
 * Adds profiles up: stacks with the same route, functions and lines become one. What it keeps is
 * bounded; the rest is one stack for each route.
 */
export class ProfileSum {
  readonly #routes = new Map<string, number>()
  readonly #functions = new Map<string, { number: number; is: ProfiledFunction }>()
  readonly #stacks = new Map<string, number[]>()
  #seconds = 0
  #samples = 0
  #cost = 0
  #processes = 0
  readonly #limits: { readonly stacks: number; readonly routes: number }

  /** @param limits how many stacks and routes are kept apart */
  constructor(limits = { stacks: MOST_STACKS, routes: MOST_ROUTES }) {
    this.#limits = limits
  }

  add(findings: StackFindings): void {
    this.#seconds = Math.max(this.#seconds, findings.seconds)
    this.#samples += findings.samples
    this.#cost += findings.cost
    this.#processes += findings.processes
    const routes = findings.routes.map((name) => this.#route(name))
    const functions = findings.functions.map((each) => this.#function(each))
    for (const row of findings.stacks) this.#stack(row, routes, functions)
  }

  #route(name: string): number {
    const known = this.#routes.get(name)
    if (known !== undefined) return known
    if (this.#routes.size >= this.#limits.routes && name !== OTHER_PATHS)
      return this.#route(OTHER_PATHS)
    this.#routes.set(name, this.#routes.size)
    return this.#routes.size - 1
  }

  #function(is: ProfiledFunction): number {
    const key = is.join('\0')
    const known = this.#functions.get(key)
    if (known !== undefined) return known.number
    const number = this.#functions.size
    this.#functions.set(key, { number, is })
    return number
  }

  #stack(row: StackRow, routes: readonly number[], functions: readonly number[]): void {
    const mine = row.slice()
    mine[0] = routes[row[0]]
    for (let at = FRAMES_AT; at < mine.length; at += 2) mine[at] = functions[row[at]]
    let key = frameKey(mine)
    if (this.#stacks.size >= this.#limits.stacks && !this.#stacks.has(key)) {
      mine.splice(FRAMES_AT, mine.length, this.#function([OTHER_STACKS, '', 0]), 0)
      key = frameKey(mine)
    }
    const known = this.#stacks.get(key)
    if (known === undefined) this.#stacks.set(key, mine)
    else for (const at of [1, 2, 3]) known[at] += mine[at]
  }

  get findings(): StackFindings {
    return {
      routes: [...this.#routes.keys()],
      functions: [...this.#functions.values()].map(({ is }) => is),
      stacks: [...this.#stacks.values()].sort((a, b) => b[1] + b[2] - a[1] - a[2]),
      seconds: this.#seconds,
      samples: this.#samples,
      cost: this.#cost,
      processes: this.#processes,
    }
  }
}

function frameKey(row: readonly number[]): string {
  return `${row[0]}:${row.slice(FRAMES_AT).join(',')}`
}

/**
 * Reads what a worker has sent, or a program that speaks to the server.
 *
 * @returns null if it is not a profile
 */
export function readStackFindings(value: unknown): StackFindings | null {
  const { routes, functions, stacks, seconds, samples, cost, processes } = (value ?? {}) as Record<
    string,
    unknown
  >
  if (![seconds, samples, cost].every(isAmount)) return null
  if (!Array.isArray(routes) || !routes.every((name) => typeof name === 'string')) return null
  if (!Array.isArray(functions) || !functions.every(isFunction)) return null
  const isRow = (row: unknown) =>
    Array.isArray(row) &&
    row.length >= FRAMES_AT &&
    row.length % 2 === 0 &&
    row.every(isAmount) &&
    row[0] < routes.length &&
    row.every((number, at) => at < FRAMES_AT || at % 2 === 1 || number < functions.length)
  if (!Array.isArray(stacks) || !stacks.every(isRow)) return null
  return {
    routes,
    functions,
    stacks,
    seconds: seconds as number,
    samples: samples as number,
    cost: cost as number,
    processes: isAmount(processes) ? processes : 1,
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isFunction(value: unknown): value is ProfiledFunction {
  return (
    Array.isArray(value) &&
    typeof value[0] === 'string' &&
    typeof value[1] === 'string' &&
    isAmount(value[2])
  )
}

/**
 * Applications that are made again are run once: a development server (Next.js, Vite, Nuxt,
 * SvelteKit, Astro) runs a module again when it is edited, and tells nobody that the results of the
 * last time are not needed any more. Without this, each edit would leave Python workers behind.
 */
import { version } from '../settings/version.ts'
import type { StartResponse, WSGIBody, WSGIEnvironment } from '../wsgi/types.ts'
import { PythonUnavailableError } from './python-error.ts'
import type { CheckedOptions } from './python-options.ts'

/** Runs an application; the methods are those of `PythonApplication`. */
export interface Runner {
  /** Something is under way: a request, up to the end of its body, or the workers' start. */
  readonly busy: boolean
  call(environ: WSGIEnvironment, startResponse: StartResponse): Promise<WSGIBody>
  ready(): Promise<void>
  reload(): Promise<void>
  close(): Promise<void>
}

/** What one `pythonApp` is. */
export interface RunnerPlan {
  readonly application: string
  readonly options: CheckedOptions
  readonly make: (application: string, options: CheckedOptions) => Runner
}

/**
 * How long workers that seem to be replaced stay without a request, in milliseconds. The others of
 * a module that runs again are made within this time.
 */
const IDLE_MS = 5000

/** The same for workers that were needed again each time that they had been ended. */
const MAX_IDLE_MS = 300_000

/** Applications that are made within this time belong to one run of a module, in milliseconds. */
const SAME_RUN_MS = 1000

/** All `pythonApp`s of a process with the same application and options. Times: milliseconds. */
interface Shared {
  /** Of the newest one, whose functions are called. */
  plan: RunnerPlan
  /** The newest one: only it ends the workers. */
  holder: object
  /** When that was made, by `performance.now()`. */
  made: number
  /** When one with other options, of a later run of a module, was made; null if none was. */
  replaced: number | null
  /** When it was last called, or last seen busy. */
  called: number
  /** How long it stays without a request, once it is replaced. */
  idle: number
  /** It was ended for one with other options, and not needed since. */
  ended: boolean
  /** Null if no request has needed it since it was ended. If there is one, the family has this. */
  runner: Runner | null
}

/** The shared ones with the same application and folder. */
interface Family {
  /** By their options. */
  readonly members: Map<string, Shared>
  /** Until the next of those that are replaced may end. */
  timer: NodeJS.Timeout | undefined
}

/**
 * The families of this process, by application and folder. It is a property of `globalThis`,
 * because a server may have this module in several bundles.
 */
type Registry = Map<string, Family>

const REGISTRY = Symbol.for(`monoceros ${version}: shared Python applications`)

function registry(): Registry {
  const holder = globalThis as { [REGISTRY]?: Registry }
  holder[REGISTRY] ??= new Map()
  return holder[REGISTRY]
}

function familyOf(key: string): Family {
  const family = registry().get(key) ?? { members: new Map(), timer: undefined }
  registry().set(key, family)
  return family
}

/**
 * A runner whose workers are those of all others in the process with the same application and
 * options. When one with other options is made, those of before seem to be replaced, unless they
 * are made again, too. Then their workers end once they have had no request for a while. A module
 * that was not replaced may still have them: a request to it starts new ones, which stay for twice
 * as long.
 */
export function sharedRunner(plan: RunnerPlan): Runner {
  const { application, options } = plan
  const familyKey = JSON.stringify([application, options.chdir])
  const key = JSON.stringify(options, (_name, value: unknown) =>
    typeof value === 'function' ? 'a function' : value,
  )
  const holder = {}
  const made = performance.now()
  const { members } = familyOf(familyKey)
  let shared: Shared = members.get(key) ?? {
    plan,
    holder,
    made,
    replaced: null,
    called: 0,
    idle: IDLE_MS,
    ended: false,
    runner: null,
  }
  Object.assign(shared, { plan, holder, made, replaced: null })
  members.set(key, shared)
  for (const other of members.values()) {
    if (other.made + SAME_RUN_MS < made) other.replaced = made
  }
  endReplaced(familyKey)

  let closed = false
  const runner = () => {
    if (closed) {
      throw new PythonUnavailableError(
        'python-closed',
        `The Python application ${application} has been closed`,
      )
    }
    shared.called = performance.now()
    return shared.runner ?? start()
  }
  const start = () => {
    const family = familyOf(familyKey)
    // One with the same options may have been made since this one was ended.
    shared = family.members.get(key) ?? shared
    family.members.set(key, shared)
    shared.called = performance.now()
    if (shared.ended) shared.idle = Math.min(shared.idle * 2, MAX_IDLE_MS)
    shared.ended = false
    shared.runner ??= shared.plan.make(application, lateBound(shared))
    if (shared.replaced !== null) endReplaced(familyKey)
    return shared.runner
  }
  return {
    get busy() {
      return shared.runner?.busy ?? false
    },
    call: async (environ, startResponse) => await runner().call(environ, startResponse),
    ready: async () => await runner().ready(),
    reload: async () => await runner().reload(),
    close: async () => {
      closed = true
      if (shared.holder === holder) await end(familyKey, key, shared)
    },
  }
}

/**
 * Ends those of a family that are replaced and have had no request for long enough, and does so
 * again when the next of them may have had none.
 */
function endReplaced(familyKey: string): void {
  // There no module runs again: applications with different options are all in use.
  if (process.env.NODE_ENV === 'production') return
  const family = registry().get(familyKey)
  if (family === undefined) return
  const now = performance.now()
  let next = Number.POSITIVE_INFINITY
  for (const [key, member] of [...family.members]) {
    if (member.replaced === null) continue
    if (member.runner?.busy) member.called = now
    const until = Math.max(member.replaced, member.called) + member.idle
    if (until > now) {
      next = Math.min(next, until)
      continue
    }
    member.ended = member.runner !== null
    // Errors are of requests that were running, which have got them.
    end(familyKey, key, member).catch(() => {})
  }
  clearTimeout(family.timer)
  if (next === Number.POSITIVE_INFINITY) return
  // A timer may fire a little before its time.
  family.timer = setTimeout(() => endReplaced(familyKey), Math.ceil(next - now) + 1).unref()
}

async function end(familyKey: string, key: string, shared: Shared): Promise<void> {
  const { members } = familyOf(familyKey)
  if (members.get(key) === shared) members.delete(key)
  if (members.size === 0) registry().delete(familyKey)
  const { runner } = shared
  shared.runner = null
  await runner?.close()
}

/** The options, with functions that call those of the newest one at that time. */
function lateBound(shared: Shared): CheckedOptions {
  const { options } = shared.plan
  const bound = Object.entries(options).map(([name, value]) =>
    typeof value === 'function'
      ? [
          name,
          (...args: unknown[]) =>
            (shared.plan.options as unknown as Record<string, (...args: unknown[]) => unknown>)[
              name
            ]!(...args),
        ]
      : [name, value],
  )
  return Object.fromEntries(bound) as CheckedOptions
}

import { statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { coded } from '../../messages/coded.ts'
import { isApplication } from '../../wsgi/application.ts'
import { failureText } from '../../wsgi/failure.ts'
import type { WSGIApplication } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { ApplicationLoadError } from '../application-load-error.ts'
import { importFailureText, importFile, theirs } from './import-file.ts'
import { type ApplicationReference, parseReference } from './reference.ts'

/** The names that are tried, in this order, if the reference has none. */
const USUAL_NAMES = ['default', 'application', 'app']

/**
 * Imports an application from a TypeScript or JavaScript file.
 *
 * Node strips types itself, from 22.18 on. Otherwise, or if a file has syntax that cannot be
 * stripped (enums, parameter properties), jiti compiles TypeScript.
 *
 * @param reference `./app.ts:app`; see {@link parseReference}
 * @param directory the folder that a relative path starts from
 * @param waits called before each step with what it waits for, in case it does not end
 * @param importModule imports its module. Defaults to {@link importFile}
 * @throws ApplicationLoadError: one line if the reference is wrong, the stack if the application's
 * own code throws
 */
export async function loadApplication(
  reference: string,
  directory: string,
  waits: (what: string) => void = () => {},
  importModule: (file: string) => Promise<Record<string, unknown>> = importFile,
): Promise<WSGIApplication> {
  const parsed = parseReference(reference)
  const file = locate(parsed, directory)
  waits(`the module ${file}, or one that it imports, waits in a top-level await that has not ended`)
  let exported: Record<string, unknown>
  try {
    exported = await importModule(file)
  } catch (error) {
    const text = await importFailureText(error, file)
    throw new ApplicationLoadError(
      coded('MONO2012', `Cannot load ${reference}: its module raised\n${text}`),
    )
  }
  // An export may throw when it is read: a getter, a proxy, a variable that has no value yet.
  const looking = <T>(look: () => T): T => {
    try {
      return look()
    } catch (error) {
      if (error instanceof ApplicationLoadError) throw error
      throw new ApplicationLoadError(
        coded(
          'MONO2012',
          `Cannot load ${reference}: an export of its module raised when it was read\n` +
            theirs(failureText(error)),
        ),
      )
    }
  }
  const { value, owner } = looking(() => find(parsed, exported, reference))
  if (parsed.args !== null)
    waits(
      `the factory ${parsed.path.join('.')}() of ${file} waits for a promise that has not settled`,
    )
  const application = parsed.args === null ? value : await call(parsed, value, owner, reference)
  return looking(() => {
    if (isApplication(application) && !looksForeign(application) && !isClass(application)) {
      // A method is called as one.
      const isMethod =
        parsed.args === null && owner !== undefined && typeof application === 'function'
      return isMethod ? application.bind(owner) : application
    }
    throw new ApplicationLoadError(
      coded('MONO2015', `${reference} ${notAnApplication(application, parsed.args !== null)}`),
    )
  })
}

function locate({ file }: ApplicationReference, directory: string): string {
  const path = file.startsWith('file://')
    ? pathOfUrl(file)
    : isAbsolute(file)
      ? file
      : resolve(directory, file)
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined)
    throw new ApplicationLoadError(
      coded('MONO2011', `Cannot load ${file}: there is no file ${path}`),
    )
  if (!found.isFile())
    throw new ApplicationLoadError(coded('MONO2011', `Cannot load ${file}: ${path} is not a file`))
  return path
}

function pathOfUrl(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw new ApplicationLoadError(
      coded('MONO2012', `Cannot load ${url}: ${(error as Error).message}`),
    )
  }
}

/** What the reference names, and the object that it is a property of, unless that is the module. */
function find(
  { file, path }: ApplicationReference,
  exported: Record<string, unknown>,
  reference: string,
): { value: unknown; owner: unknown } {
  if (path.length === 0) {
    for (const from of [compiledModule(exported), exported]) {
      const name = USUAL_NAMES.find((candidate) => from?.[candidate] !== undefined)
      if (name !== undefined) return { value: from![name], owner: undefined }
    }
    throw new ApplicationLoadError(
      coded(
        'MONO2013',
        `${file} has no default export, nor one named application or app${exportsOf(exported)}. ` +
          `Name the application: ${file}:NAME`,
      ),
    )
  }
  // A CommonJS module has its exports on the default one.
  let value: unknown = path[0]! in exported ? exported : (exported.default ?? exported)
  let owner: unknown
  for (const [index, name] of path.entries()) {
    const next =
      value === null || value === undefined ? undefined : (value as Record<string, unknown>)[name]
    if (next === undefined) {
      throw new ApplicationLoadError(
        coded(
          'MONO2013',
          index === 0
            ? `${reference}: ${file} exports no ${name}${exportsOf(exported)}`
            : `${reference}: ${path.slice(0, index).join('.')} has no ${name}`,
        ),
      )
    }
    owner = index === 0 ? undefined : value
    value = next
  }
  return { value, owner }
}

/**
 * The exports of a module that a compiler has turned from ES to CommonJS: Node has them on the
 * default one.
 */
function compiledModule({
  default: inner,
}: Record<string, unknown>): Record<string, unknown> | undefined {
  const isCompiled =
    typeof inner === 'object' &&
    inner !== null &&
    (inner as { __esModule?: unknown }).__esModule === true
  return isCompiled ? (inner as Record<string, unknown>) : undefined
}

function exportsOf(exported: Record<string, unknown>): string {
  const names = Object.keys(exported).filter(
    (name) => name !== 'default' && name !== 'module.exports',
  )
  return names.length === 0 ? '' : ` (it exports ${names.join(', ')})`
}

async function call(
  { path, args }: ApplicationReference,
  factory: unknown,
  owner: unknown,
  reference: string,
): Promise<unknown> {
  if (typeof factory !== 'function') {
    throw new ApplicationLoadError(
      coded(
        'MONO2015',
        `${reference}: ${path.join('.')} is ${describeValue(factory)} and cannot be called`,
      ),
    )
  }
  try {
    return (await Reflect.apply(factory, owner, args ?? [])) as unknown
  } catch (error) {
    throw new ApplicationLoadError(
      coded(
        'MONO2012',
        `Cannot load ${reference}: the factory raised\n${theirs(failureText(error))}`,
      ),
    )
  }
}

/**
 * An Express, Connect or Fastify application is a function or an object too, but called in another
 * way.
 */
function looksForeign(value: unknown): boolean {
  // One that is ours is not asked for anything else (PEP 3333: applications are to be called, not
  // introspected upon).
  if (typeof (value as { wsgi?: unknown }).wsgi === 'function') return false
  const { handle, listen, fetch } = value as { handle?: unknown; listen?: unknown; fetch?: unknown }
  return typeof listen === 'function' || typeof handle === 'function' || typeof fetch === 'function'
}

/** A class cannot be called, unlike in Python. */
function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function notAnApplication(value: unknown, called: boolean): string {
  const what = `${called ? 'gives' : 'is'} ${describeValue(value)}, which is not a WSGI application`
  if (isClass(value))
    return `${what}: it is a class, so give an instance of it that has a method wsgi`
  if (typeof value === 'object' && value !== null && 'fetch' in value)
    return `${what}: it has a fetch handler, so wrap it: fromFetchHandler(app.fetch)`
  if (value !== null && value !== undefined && looksForeign(value))
    return `${what}: it looks like one of Express or Connect, so wrap it: fromNodeHandler(app)`
  return (
    `${what}: that is a function (environ, startResponse), ` +
    'or an object with a method wsgi(environ, startResponse)'
  )
}

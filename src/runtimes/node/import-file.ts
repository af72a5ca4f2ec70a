import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ownFolder } from '../../own-files/own-files.ts'
import { failureText } from '../../wsgi/failure.ts'
import { look, propertyOf } from '../../wsgi/stranger.ts'

let reads = 0

/**
 * Imports a TypeScript or JavaScript file.
 *
 * @param path absolute
 * @param again runs the file even if it has been imported before; what it imports is not run again
 * @returns its exports
 * @throws whatever the file throws
 */
export async function importFile(path: string, again = false): Promise<Record<string, unknown>> {
  const typed = /\.[cm]?ts$/.test(path)
  if (!typed || stripsTypes()) {
    try {
      const url = pathToFileURL(path)
      // Node runs each URL once; the query makes a new one.
      if (again) url.searchParams.set('read', String(++reads))
      return (await import(
        /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ url.href
      )) as Record<string, unknown>
    } catch (error) {
      const code = propertyOf(error, 'code')
      const cannotStrip =
        code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' || code === 'ERR_INVALID_TYPESCRIPT_SYNTAX'
      if (!cannotStrip && code !== 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') throw error
    }
  }
  const { createJiti } = await import('jiti')
  const jiti = createJiti(pathToFileURL(path).href, {
    // The exports are used unchanged.
    interopDefault: false,
    moduleCache: !again,
    fsCache: cacheFolder(path),
  })
  const exported: unknown = await jiti.import(path)
  // A CommonJS module may export anything, which is the default then, as when Node imports it.
  const isModule = typeof exported === 'object' && exported !== null
  return isModule ? (exported as Record<string, unknown>) : { default: exported }
}

/**
 * What {@link importFile} threw, for the author of the file: the stack without our own frames, or
 * the place of a syntax error.
 *
 * @param path of the file
 */
export async function importFailureText(error: unknown, path: string): Promise<string> {
  return (await syntaxErrorText(error, path)) ?? theirs(failureText(error))
}

/** Removes the frames of this loader from a stack: the mistake is not there. */
export function theirs(stack: string): string {
  const ours = pathToFileURL(ownFolder()).href
  const isOurs = (line: string) =>
    /^ +at /.test(line) &&
    [`${ours}/`, '(node:internal/modules/', '/node_modules/jiti/'].some((part) =>
      line.includes(part),
    )
  return stack
    .split('\n')
    .filter((line) => !isOurs(line))
    .join('\n')
}

/**
 * The file and line of a syntax error, which Node gives only when it prints the error itself. Null
 * for another error, or one in another file.
 */
function syntaxErrorText(error: unknown, path: string): Promise<string | null> {
  const isUnplaced = look(
    () => error instanceof SyntaxError && !/(file:\/\/|\()\//.test(error.stack ?? ''),
    false,
  )
  if (!isUnplaced || /ts$/.test(path)) return Promise.resolve(null)
  return new Promise((resolve) => {
    execFile(process.execPath, ['--check', path], (failed, _out, text) => {
      resolve(failed === null ? null : text.replace(/\n +at [\s\S]*$/, '').trimEnd())
    })
  })
}

/**
 * Where compiled files are kept: beside the installed packages, or else nowhere. Never in the
 * system's folder for temporary files, as by default: another user who creates that folder first
 * could make this process run any code.
 */
function cacheFolder(path: string): string | false {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(packages)) return join(packages, '.cache', 'jiti')
  }
  return false
}

function stripsTypes(): boolean {
  return Boolean((process.features as { typescript?: string | false }).typescript)
}

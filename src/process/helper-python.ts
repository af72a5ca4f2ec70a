import { delimiter, isAbsolute, join } from 'node:path'
import { ownFile } from '../own-files/own-files.ts'
import { packagePython } from './python-command.ts'

/** Which Python the application uses, if that is known. */
export interface ApplicationPython {
  /** The setting `python`. */
  readonly python: string | null
  /** The application's folder. */
  readonly chdir: string
}

/**
 * Where a Python 3 may be for a helper program, which uses the standard library only. The system's
 * comes first: the user of the application cannot change it, and this process may be root's.
 *
 * @param own is tried last
 * @example spawn(helperPythons(process.env)[0], helperArguments('monoceros-relay', path))
 */
export function helperPythons(
  environment: Readonly<Record<string, string | undefined>>,
  own?: ApplicationPython,
): readonly string[] {
  const { VIRTUAL_ENV, PATH = '' } = environment
  const folders = PATH.split(delimiter).filter((folder) => folder !== '')
  const installedFor = packagePython()
  return [
    '/usr/bin/python3',
    ...folders.map((folder) => join(folder, 'python3')),
    ...(VIRTUAL_ENV === undefined ? [] : [join(VIRTUAL_ENV, 'bin', 'python')]),
    ...(installedFor === null ? [] : [installedFor]),
    ...(own === undefined ? [] : pythonsOf(own)),
  ]
}

function pythonsOf({ python, chdir }: ApplicationPython): string[] {
  if (python === null) return [join(chdir, '.venv', 'bin', 'python')]
  return [python.includes('/') && !isAbsolute(python) ? join(chdir, python) : python]
}

/**
 * The arguments with which a Python runs a program of `python/`, and imports nothing of the user's.
 *
 * @param program `monoceros-relay`
 */
export function helperArguments(program: string, ...args: readonly string[]): string[] {
  return ['-I', '-S', ownFile(`python/${program}`), ...args]
}

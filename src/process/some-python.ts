import { delimiter, join } from 'node:path'

/**
 * Where a Python 3 may be, for small helpers that use the standard library only. The system's comes
 * first, because it cannot be changed by the application's user.
 *
 * @example spawn(somePythons(process.env)[0], ['-I', '-S', script])
 */
export function somePythons(
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const { VIRTUAL_ENV, PATH = '' } = environment
  const folders = PATH.split(delimiter).filter((folder) => folder !== '')
  return [
    '/usr/bin/python3',
    ...folders.map((folder) => join(folder, 'python3')),
    ...(VIRTUAL_ENV === undefined ? [] : [join(VIRTUAL_ENV, 'bin', 'python')]),
  ]
}

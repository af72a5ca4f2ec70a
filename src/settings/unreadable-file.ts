const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file. Check the path',
  EACCES: 'this user may not read it. Start as a user who may (and drop to another with --user)',
  EPERM: 'this user may not read it. Start as a user who may (and drop to another with --user)',
  EISDIR: 'it is a folder. Name the file in it',
  ENOTDIR: 'a part of the path is not a folder. Check the path',
  ELOOP: 'its symbolic links lead in a circle. Mend them',
}

/**
 * Why a file that a setting names cannot be read, and what to do.
 *
 * @param error what node:fs has thrown
 * @example "there is no such file. Check the path"
 */
export function whyUnreadable(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  return REASONS[code] ?? message
}

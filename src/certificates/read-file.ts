import { readFileSync, statSync } from 'node:fs'
import { coded } from '../messages/coded.ts'
import { whyUnreadable } from '../settings/unreadable-file.ts'
import { CertificateError } from './certificate-error.ts'

/** More than any chain needs, in bytes: whoever names another file by mistake is told. */
const LARGEST = 4 * 1024 * 1024

/** What pipes had, by path: they can be read only once, and a second attempt may wait for ever. */
const ofPipes = new Map<string, string>()

/**
 * Reads a file of a certificate or a key. A pipe, such as `<(program)` of a shell, is read the
 * first time only.
 *
 * @param setting the name of the setting, for the message
 * @throws CertificateError
 */
export function readFile(path: string, setting: string): string {
  try {
    const stats = statSync(path)
    if (!stats.isFile() && !stats.isDirectory()) return pipeContent(path)
    const { size } = stats
    if (size > LARGEST)
      throw new CertificateError(
        coded(
          'MONO3202',
          `Cannot use ${path} (${setting}): it has ${size} bytes, which is no certificate or key`,
        ),
      )
    return readFileSync(path, 'latin1')
  } catch (error) {
    if (error instanceof CertificateError) throw error
    throw new CertificateError(
      coded('MONO3202', `Cannot read ${path} (${setting}): ${whyUnreadable(error)}`),
    )
  }
}

function pipeContent(path: string): string {
  const text = ofPipes.get(path) ?? readFileSync(path, 'latin1')
  ofPipes.set(path, text)
  return text
}

/** Whether users other than the owner and the group may read a file. */
export function othersMayRead(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() === true && (stats.mode & 0o004) !== 0
}

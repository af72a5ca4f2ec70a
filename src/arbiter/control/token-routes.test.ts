import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../tests/support/applications.ts'
import { isToken, readToken } from './token-routes.ts'

function file(text: string): string {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  const path = join(folder.path, 'token')
  writeFileSync(path, text)
  return path
}

describe('the control token', () => {
  test('is what its file has, without the space around it', () => {
    expect(readToken(file(' 0123456789abcdef\n'))).toBe('0123456789abcdef')
  })

  test('is refused if it could be guessed, or could not be sent', () => {
    const wanted = /must have at least 16 characters of ASCII, and no spaces; openssl rand -hex 32/
    for (const text of ['', '0123456789abcde', '0123456789 abcdef', '0123456789abcdefé'])
      expect(() => readToken(file(text)), text).toThrow(wanted)
  })

  test('of a file that cannot be read: the setting, why, and what to do', () => {
    expect(() => readToken('/nothing/here')).toThrow(
      'Cannot read /nothing/here (control_token_file): there is no such file. Check the path',
    )
  })

  test('is known by a bearer header only', () => {
    expect(isToken('Bearer 0123456789abcdef', '0123456789abcdef')).toBe(true)
    for (const other of [undefined, '', 'Bearer', '0123456789abcdef', 'Bearer 0123456789abcdeg'])
      expect(isToken(other, '0123456789abcdef'), other).toBe(false)
  })
})

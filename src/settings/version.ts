import { readFileSync } from 'node:fs'

/** The version of this package, from its package.json. */
export const version: string = readVersion()

function readVersion(): string {
  // Two folders up both from src/settings and from dist/settings.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const contents: unknown = JSON.parse(text)
  if (typeof contents === 'object' && contents !== null && 'version' in contents)
    return String(contents.version)
  throw new Error('package.json has no version')
}

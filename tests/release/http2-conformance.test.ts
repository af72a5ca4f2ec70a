import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { findH2spec, runH2spec } from '../support/h2spec.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { testCertificate } from '../support/test-certificate.ts'

// h2spec in strict mode. docs/reference/http2.md has the exceptions and the reason for each.

const page = readFileSync(join(repository, 'docs', 'reference', 'http2.md'), 'utf8')

/** The rows of the table of exceptions: the case, and where it holds. */
const exceptions = [...page.matchAll(/^\| `((?:generic|http2|hpack)\/[^`]+)` \| (\S+) \|/gm)].map(
  ([, name, where]) => ({ name: name!, where: where! }),
)

function expected(where: 'h2c' | 'TLS'): string[] {
  return exceptions
    .filter((each) => each.where === 'both' || each.where === where)
    .map(({ name }) => name)
    .sort()
}

/**
 * Requests that a case has given up take their time, and some sessions end with a deadline. One
 * that ends because it is idle would look like one that ends because of an error.
 */
const SETTINGS = ['--threads', '8', '--graceful-timeout', '2', '--keep-alive', '60']

const program = hasPython() ? findH2spec() : null

describe.skipIf(program === null)('h2spec in strict mode', () => {
  test('over plain TCP, by prior knowledge', async () => {
    const server = await startPlain({ args: [...SETTINGS, '--h2c'] })
    const exceptions = expected('h2c')
    const report = await runH2spec(program!, server, { exceptions })
    expect(report.failed.sort()).toEqual(exceptions)
    expect(report.cases).toBe(146)
  })

  test('over TLS', async () => {
    const folder = temporaryDirectory()
    try {
      const certificate = join(folder.path, 'cert.pem')
      const key = join(folder.path, 'key.pem')
      writeFileSync(certificate, testCertificate.cert)
      writeFileSync(key, testCertificate.key, { mode: 0o600 })
      const server = await startPlain({
        args: [...SETTINGS, '--certfile', certificate, '--keyfile', key],
      })
      const exceptions = expected('TLS')
      const report = await runH2spec(program!, server, { exceptions, tls: true })
      expect(report.failed.sort()).toEqual(exceptions)
      expect(report.cases).toBe(146)
    } finally {
      rmSync(folder.path, { recursive: true, force: true })
    }
  })
})

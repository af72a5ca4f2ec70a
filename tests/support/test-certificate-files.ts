import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testCertificate } from './test-certificate.ts'

/** Where the test certificate and its key are. */
interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

let files: CertificateFiles | undefined

/** The files of the test certificate, for this process. The folder goes with the other ones. */
function certificateFiles(): CertificateFiles {
  if (files !== undefined) return files
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-test-certificate-'))
  const made = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  writeFileSync(made.cert, testCertificate.cert)
  writeFileSync(made.key, testCertificate.key, { mode: 0o600 })
  files = made
  return made
}

/** What makes our command serve HTTPS with it. */
export function tlsArguments(): string[] {
  const { cert, key } = certificateFiles()
  return ['--certfile', cert, '--keyfile', key]
}

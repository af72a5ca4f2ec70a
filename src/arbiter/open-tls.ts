import { CertificateError } from '../certificates/certificate-error.ts'
import { type CertificateLog, ServedTls } from '../certificates/served-tls.ts'
import { coded } from '../messages/coded.ts'
import { cacheFolder } from '../runtimes/pyodide/image/cache-folder.ts'
import type { Settings } from '../settings/table.ts'

/**
 * Reads the certificates of settings; with `dev_tls` it makes one first.
 *
 * @param before the one that serves until this one does
 * @throws CertificateError
 */
export async function openTls(
  settings: Settings,
  log: CertificateLog,
  before: ServedTls | null,
): Promise<ServedTls> {
  if (!settings.devTls) return new ServedTls({ settings, log, before })
  const certfile = [await devCertificateFile(settings, log)]
  return new ServedTls({ settings: { ...settings, certfile, keyfile: [] }, log, before })
}

async function devCertificateFile({ bind }: Settings, log: CertificateLog): Promise<string> {
  const folder = cacheFolder(process.env)
  if (folder === null)
    throw new CertificateError(
      coded(
        'MONO3201',
        'There is no folder for the certificate of dev_tls: set XDG_CACHE_HOME or HOME, and ' +
          'MONOCEROS_CACHE not to off',
      ),
    )
  const { devCertificate } = await import('../certificates/dev-certificate.ts')
  const hosts = bind.flatMap((address) => (address.kind === 'tcp' ? [address.host] : []))
  const { file, fingerprint, isNew } = await devCertificate({ folder, hosts, now: Date.now() })
  log.info(`${isNew ? 'Made a' : 'Using the'} certificate for development in ${file} (dev_tls)`)
  log.info(`Its SHA-256 fingerprint is ${fingerprint}`)
  return file
}

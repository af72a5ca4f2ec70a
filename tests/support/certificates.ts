/** Certificates for tests, made with the `openssl` command. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a certificate is to be like. */
export interface CertificateRequest {
  /** The names of its files: `NAME.pem` and `NAME.key`. */
  readonly name: string
  /** As for `openssl req -subj`; by default the common name `name`. */
  readonly subject?: string
  /** Alternative names, as for `subjectAltName` of OpenSSL: `DNS:a.test`. */
  readonly names?: readonly string[]
  /** Who signs it; by default itself. */
  readonly issuer?: MadeCertificate
  /** It may sign others. */
  readonly authority?: boolean
  /** The days from now on in which it is valid; by default from yesterday to in 90 days. */
  readonly from?: number
  readonly to?: number
  /** Encrypts the key. */
  readonly passphrase?: string
  /** As for `openssl genpkey`; by default on the curve P-256. */
  readonly rsaBits?: number
}

export interface MadeCertificate {
  /** The paths of its files. */
  readonly cert: string
  readonly key: string
  /** Their content. */
  readonly certPem: string
  readonly keyPem: string
}

/** Makes a certificate and its key in a folder. */
export function makeCertificate(folder: string, request: CertificateRequest): MadeCertificate {
  const { name, issuer, names = [], authority = false, passphrase, rsaBits } = request
  const path = (suffix: string) => join(folder, `${name}${suffix}`)
  const [cert, key, csr, extensions] = ['.pem', '.key', '.csr', '.ext'].map(path) as [
    string,
    string,
    string,
    string,
  ]
  openssl([
    'genpkey',
    ...(rsaBits === undefined
      ? ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']
      : ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${rsaBits}`]),
    ...(passphrase === undefined ? [] : ['-aes-256-cbc', '-pass', `pass:${passphrase}`]),
    ...['-out', key],
  ])
  const secret = passphrase === undefined ? [] : ['-passin', `pass:${passphrase}`]
  const { subject = `/CN=${name}` } = request
  openssl(['req', '-new', '-utf8', '-key', key, ...secret, '-subj', subject, '-out', csr])
  writeFileSync(
    extensions,
    [
      `basicConstraints=critical,CA:${authority}`,
      'subjectKeyIdentifier=hash',
      ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
      '',
    ].join('\n'),
  )
  const { from = -1, to = 90 } = request
  openssl([
    ...[
      'ca',
      '-batch',
      '-rand_serial',
      '-notext',
      '-preserveDN',
      '-config',
      authorityConfig(folder),
    ],
    ...['-in', csr, '-out', cert, '-extfile', extensions, '-md', 'sha256'],
    ...['-startdate', moment(from), '-enddate', moment(to)],
    ...(issuer === undefined
      ? ['-selfsign', '-keyfile', key, ...secret]
      : ['-cert', issuer.cert, '-keyfile', issuer.key]),
  ])
  return {
    cert,
    key,
    certPem: readFileSync(cert, 'utf8'),
    keyPem: readFileSync(key, 'utf8'),
  }
}

/** `openssl x509` cannot make a certificate that has expired, `openssl ca` can. */
function authorityConfig(folder: string): string {
  const path = join(folder, 'ca.cnf')
  writeFileSync(join(folder, 'ca.index'), '')
  writeFileSync(
    path,
    `[ca]
default_ca = made
[made]
database = ${join(folder, 'ca.index')}
new_certs_dir = ${folder}
serial = ${join(folder, 'ca.serial')}
policy = any
unique_subject = no
string_mask = utf8only
email_in_dn = yes
[any]
commonName = optional
organizationName = optional
organizationalUnitName = optional
countryName = optional
emailAddress = optional
`,
  )
  return path
}

/** @example '20261129034501Z' */
function moment(days: number): string {
  const date = new Date(Date.now() + days * 24 * 3600 * 1000)
  return `${date.toISOString().replace(/[-:T]|\.\d+/g, '')}`
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

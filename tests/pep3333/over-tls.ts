import type { PepCase } from './case.ts'

/** What cases see over TLS, where it is not what they see over plain HTTP, by id. */
const SECURE: Readonly<Record<string, string>> = {
  // RFC 3875 has no such variable; every server with TLS sets it.
  'absent-variables': 'HTTPS',
  // The scheme is the client's.
  'wsgi-url-scheme': 'wsgi.url_scheme: https',
  'url-reconstruction-host': 'https://case.example:8080/caf%C3%A9%20x/?y=%201',
  'url-reconstruction-no-host': 'https://127.0.0.1:PORT/a',
  'url-reconstruction-prefix': 'https://case.example/site/a/b',
}

/** Adapts what a case is to see to the tier `tls`, which runs every server on HTTPS. */
export function overTls({ id }: PepCase, expected: string): string {
  return process.env.MONOCEROS_TEST_TLS === '1' ? (SECURE[id] ?? expected) : expected
}

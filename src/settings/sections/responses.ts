import type { SettingDefinition } from '../definition.ts'

/** Headers that the server adds, and proxies that it trusts. */
export const responseSettings = [
  {
    name: 'server_header',
    section: 'Responses and proxies',
    flags: ['--server-header'],
    offFlag: '--no-server-header',
    type: 'string',
    rule: 'header-text',
    nullable: true,
    metavar: 'TEXT',
    default: 'monoceros',
    doc: `The value of the \`Server\` header of responses; \`--no-server-header\` (\`null\` in a
config file) omits it.

The default does not include a version.
A \`Server\` header that the application sets is kept.`,
  },
  {
    name: 'forwarded_allow_ips',
    section: 'Responses and proxies',
    flags: ['--forwarded-allow-ips'],
    type: 'strings',
    rule: 'networks',
    metavar: 'ADDRESSES',
    default: ['127.0.0.1', '::1'],
    env: 'FORWARDED_ALLOW_IPS',
    doc: `Addresses and networks (\`10.0.0.0/8\`) of trusted proxies, whose
\`secure_scheme_headers\` are believed.
Comma separated; \`*\` trusts all.

Connections over a Unix socket are always trusted.
The environment variable \`FORWARDED_ALLOW_IPS\` replaces the default.`,
  },
  {
    name: 'secure_scheme_headers',
    section: 'Responses and proxies',
    flags: [],
    type: 'mapping',
    rule: 'field-names',
    default: {
      'X-FORWARDED-PROTOCOL': 'ssl',
      'X-FORWARDED-PROTO': 'https',
      'X-FORWARDED-SSL': 'on',
    },
    doc: `Request headers, each with the value by which a trusted proxy says that the client used
HTTPS.
Config file only.

\`wsgi.url_scheme\` is then \`https\`.
A request in which two of these headers disagree is answered with 400.`,
  },
] as const satisfies readonly SettingDefinition[]

import type { SettingDefinition } from '../definition.ts'

/** What the server adds to responses, and which proxies it believes. */
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
    doc: `The value of the \`Server\` header of responses; \`--no-server-header\` (\`null\` in a config file) leaves it out.

It says no version unless you want it to. A \`Server\` header that the application sets is kept as it is.`,
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
    doc: `Addresses and networks (\`10.0.0.0/8\`) of proxies whose \`secure_scheme_headers\` are believed; comma separated, \`*\` for all.

Connections over a Unix socket are always believed. The environment variable \`FORWARDED_ALLOW_IPS\` replaces the default.`,
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
    doc: `Request headers and the value of each by which a believed proxy says that the client came over HTTPS; config file only.

Then \`wsgi.url_scheme\` is \`https\`. A request in which two of them disagree is refused with 400.`,
  },
] as const satisfies readonly SettingDefinition[]

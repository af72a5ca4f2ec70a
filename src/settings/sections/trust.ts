import type { SettingDefinition } from '../definition.ts'

/** Which proxies are trusted, and with what. */
export const trustSettings = [
  {
    name: 'forwarded_allow_ips',
    section: 'Responses and proxies',
    flags: ['--forwarded-allow-ips'],
    type: 'strings',
    rule: 'networks',
    metavar: 'ADDRESSES',
    default: ['127.0.0.1', '::1'],
    env: 'FORWARDED_ALLOW_IPS',
    doc: `Addresses and networks (\`10.0.0.0/8\`) of trusted proxies, whose headers are believed:
\`secure_scheme_headers\`, \`forwarder_headers\`, and those of \`forwarded_headers\`.
Comma separated; \`*\` trusts all.

Connections over a Unix socket are always trusted.
\`*\` says that whoever connects is a proxy; the addresses that this proxy names are not trusted by
it.
The environment variable \`FORWARDED_ALLOW_IPS\` replaces the default.`,
  },
  {
    name: 'forwarded_headers',
    section: 'Responses and proxies',
    flags: ['--forwarded-headers'],
    type: 'choice',
    choices: ['off', 'legacy', 'standard'],
    nullable: true,
    metavar: 'WHICH',
    default: null,
    doc: `The headers in which trusted proxies tell of the client: \`legacy\` for
\`X-Forwarded-For\`, \`-Proto\`, \`-Host\`, \`-Port\` and \`-Prefix\`, \`standard\` for \`Forwarded\`
(RFC 7239), \`off\` for none.

\`REMOTE_ADDR\`, \`wsgi.url_scheme\`, \`HTTP_HOST\`, \`SERVER_NAME\`, \`SERVER_PORT\` and
\`SCRIPT_NAME\` are then the client's, also for the access log and limits by address.
Headers that are not believed are removed.

If it is not given, the server does what Gunicorn does: it takes only the scheme, and leaves the
address and all headers as they are.
See [the guide](../guides/behind-a-proxy.md).`,
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
  {
    name: 'forwarder_headers',
    section: 'Responses and proxies',
    flags: ['--forwarder-headers'],
    type: 'strings',
    metavar: 'NAMES',
    default: ['SCRIPT_NAME', 'PATH_INFO'],
    doc: `Headers with underscores in their names that trusted proxies may send, whatever
\`header_map\` is; comma separated, \`*\` for all.

\`SCRIPT_NAME\` says where the application is mounted, in the place of \`root_path\`.
The others become variables such as \`HTTP_REMOTE_USER\`.
See \`forwarded_allow_ips\` for who is trusted.`,
  },
] as const satisfies readonly SettingDefinition[]

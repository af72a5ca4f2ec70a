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
  {
    name: 'proxy_protocol',
    section: 'Responses and proxies',
    flags: ['--proxy-protocol'],
    type: 'choice',
    choices: ['off', 'v1', 'v2', 'auto'],
    switchedOn: 'auto',
    spellings: { false: 'off', '0': 'off', none: 'off', true: 'auto', '1': 'auto' },
    metavar: 'MODE',
    default: 'off',
    doc: `Whether connections from \`proxy_allow_ips\` begin with a header of the PROXY protocol:
\`v1\`, \`v2\`, or \`auto\` for either, which the flag alone means.

The addresses of the header are then those of the connection, before TLS and HTTP.
A connection from there without a header is refused, and so is a header from elsewhere.
See [the guide](../guides/behind-a-proxy.md#the-proxy-protocol).`,
  },
  {
    name: 'proxy_allow_ips',
    section: 'Responses and proxies',
    flags: ['--proxy-allow-from', '--proxy-allow-ips'],
    type: 'strings',
    rule: 'networks',
    metavar: 'ADDRESSES',
    default: ['127.0.0.1', '::1'],
    doc: `Addresses and networks of the proxies that send headers of the PROXY protocol; comma
separated, \`*\` for all.

It has an effect with \`proxy_protocol\` only.
Connections over a Unix socket are always among them.`,
  },
  {
    name: 'proxy_protocol_tls',
    section: 'Responses and proxies',
    flags: ['--proxy-protocol-tls'],
    type: 'boolean',
    default: false,
    doc: `Whether a header of the PROXY protocol may say that the client used TLS, so that
\`wsgi.url_scheme\` is \`https\` (\`send-proxy-v2-ssl\` in HAProxy).`,
  },
  {
    name: 'allowed_hosts',
    section: 'Responses and proxies',
    flags: ['--allowed-hosts'],
    type: 'strings',
    rule: 'hosts',
    metavar: 'HOSTS',
    default: [],
    doc: `The hosts that this site has, without ports: names, \`.example.org\` for a domain with all
names below it, addresses, networks such as \`10.0.0.0/8\`, or \`*\`; comma separated.

A request for another host is answered with 421, one without a host with 400, before the
application sees it.
Case, a port and a dot at the end make no difference.
Health checks often ask by address, so list the network that they come to.
If it is not given, every host is served.`,
  },
] as const satisfies readonly SettingDefinition[]

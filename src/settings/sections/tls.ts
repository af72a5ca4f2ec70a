import type { SettingDefinition } from '../definition.ts'

/** Certificates, and what connections with TLS must be like. */
export const tlsSettings = [
  {
    name: 'certfile',
    section: 'TLS',
    flags: ['--certfile'],
    type: 'paths',
    metavar: 'FILE',
    default: [],
    doc: `A certificate of the server in PEM, followed by those of the authorities between it and
the root; repeatable.

If no address of \`bind\` begins with \`tls:\`, all addresses use TLS then, as in Gunicorn.
The file may have the key too.
Of several certificates, a client gets the one for the host that it asks for (SNI), also by a name
such as \`*.example.org\`; the first one is for all other clients.

The files are read again when they change, and at a reload; connections stay open.`,
  },
  {
    name: 'keyfile',
    section: 'TLS',
    flags: ['--keyfile'],
    type: 'paths',
    metavar: 'FILE',
    default: [],
    doc: `The private key of a \`certfile\`, in PEM; repeatable.
Without it, the key is expected in \`certfile\`.

Keys and certificates are matched by their public keys, so their order makes no difference.
Only the process that was started reads them, so they may be readable for root alone with
\`user\`.`,
  },
  {
    name: 'key_passphrase_file',
    section: 'TLS',
    flags: ['--key-passphrase-file'],
    type: 'path',
    nullable: true,
    metavar: 'FILE',
    default: null,
    doc: `A file with the passphrase of an encrypted private key.
For several keys, it has one on each line; they are tried in their order.`,
  },
  {
    name: 'tls_minimum',
    section: 'TLS',
    flags: ['--tls-minimum'],
    type: 'choice',
    choices: ['1.2', '1.3'],
    numeric: true,
    default: '1.2',
    doc: `The oldest version of TLS that is accepted: \`1.2\` or \`1.3\`.
The newest version that a client knows is used.`,
  },
  {
    name: 'ssl_version',
    section: 'TLS',
    flags: ['--ssl-version'],
    type: 'string',
    rule: 'ssl-version',
    metavar: 'VERSION',
    default: 'TLS',
    doc: `Gunicorn's name for the versions of TLS: \`TLS\` for those that \`tls_minimum\` allows,
\`TLSv1_2\` or \`TLSv1_3\` for that one only.

\`SSLv23\`, \`TLS_SERVER\` and the numbers of Python's \`ssl\` module are accepted too.
Older versions of TLS and SSL are not supported.`,
  },
  {
    name: 'ciphers',
    section: 'TLS',
    flags: ['--ciphers'],
    type: 'string',
    nullable: true,
    metavar: 'LIST',
    default: null,
    doc: `The cipher suites to use, as a cipher list of OpenSSL, the preferred ones first.
The default is the list of Node.js.

The suites of TLS 1.3 are used unless the list names some of them
(\`TLS_AES_128_GCM_SHA256\`, …).`,
  },
  {
    name: 'cert_reqs',
    section: 'TLS',
    flags: ['--cert-reqs'],
    type: 'integer',
    minimum: 0,
    maximum: 2,
    metavar: 'NUMBER',
    default: 0,
    doc: `Whether clients need a certificate: 0 no, 1 optional, 2 required.

With 2, the handshake of a client fails without a certificate that an authority of
\`ca_certs\` has signed.
With 1, requests reach the application all the same, and \`SSL_CLIENT_VERIFY\` in the environ
tells how it is: \`NONE\`, \`SUCCESS\`, or \`FAILED:\` with a reason.`,
  },
  {
    name: 'ca_certs',
    section: 'TLS',
    flags: ['--ca-certs'],
    type: 'path',
    nullable: true,
    metavar: 'FILE',
    default: null,
    doc: `The certificates of the authorities that sign clients' certificates, in PEM.
See \`cert_reqs\`.`,
  },
  {
    name: 'handshake_timeout',
    section: 'TLS',
    flags: ['--handshake-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a client may take from its connection to the end of the TLS handshake.
Then the connection is closed.
0 disables the timeout.`,
  },
  {
    name: 'max_handshakes',
    section: 'TLS',
    flags: ['--max-handshakes'],
    type: 'integer',
    minimum: 1,
    metavar: 'INT',
    default: 512,
    doc: `How many TLS handshakes may be under way at a time, in each acceptor.

Beyond that, others wait, and handshakes that have not finished within a second are closed for them,
the oldest first.
A handshake begins when the client's first message is complete.
From then on it counts as 80 KiB of \`client_memory\`, and as 100 KiB more if clients are asked for
certificates; before, it takes only the bytes of that
message, and \`max_connections\` limits it.`,
  },
  {
    name: 'http_redirect',
    section: 'TLS',
    flags: ['--http-redirect'],
    type: 'strings',
    rule: 'redirect-addresses',
    numeric: true,
    metavar: 'ADDRESS',
    default: [],
    doc: `A port, or \`HOST:PORT\`, where plain HTTP is answered with a redirect (308) to HTTPS of
the same host and path; repeatable.

With a port alone, it listens at the addresses of \`bind\` that use TLS.
A request without a valid \`Host\` is answered with 400.
The redirect leads to the port of the first address with TLS.`,
  },
  {
    name: 'hsts',
    section: 'TLS',
    flags: ['--hsts'],
    type: 'string',
    rule: 'hsts',
    numeric: true,
    nullable: true,
    metavar: 'SECONDS',
    default: null,
    doc: `Adds \`Strict-Transport-Security\` to responses over HTTPS: browsers use nothing but HTTPS
for this host, for so many seconds.

\`includeSubDomains\` and \`preload\` may follow, each after a semicolon:
\`--hsts "31536000; includeSubDomains"\`.
A field that the application sets is kept.
Browsers keep to it until the time is over, so begin with a short one.`,
  },
  {
    name: 'dev_tls',
    section: 'TLS',
    flags: ['--dev-tls'],
    type: 'boolean',
    default: false,
    doc: `For development: HTTPS with a certificate that the server makes, for \`localhost\`,
\`127.0.0.1\`, \`::1\` and the hosts of \`bind\`.

It is kept in the user's cache folder (\`$XDG_CACHE_HOME/monoceros\`), and its fingerprint is in
the log.
Browsers warn of it until they are told to trust it.`,
  },
] as const satisfies readonly SettingDefinition[]

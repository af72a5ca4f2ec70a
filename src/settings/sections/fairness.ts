import type { SettingDefinition } from '../definition.ts'

/** How much of the server one client may use. */
export const fairnessSettings = [
  {
    name: 'limit_connections_per_address',
    section: 'Limits and buffering',
    flags: ['--limit-connections-per-address'],
    type: 'integer',
    minimum: 0,
    metavar: 'INT',
    default: 0,
    doc: `The maximum number of connections that one address may have; more are answered with 503
and closed (over TLS: closed).
0 disables the limit.

For IPv6 it counts by /64 network.
Each acceptor counts its own connections.
Proxies in \`forwarded_allow_ips\` or \`proxy_allow_ips\`, and Unix sockets, have no limit.
Choose a number well above what a browser opens (6 for each host), because offices and mobile
networks share addresses.`,
  },
  {
    name: 'rate_limit',
    section: 'Limits and buffering',
    flags: ['--rate-limit'],
    type: 'strings',
    rule: 'rate-limit',
    metavar: 'RATE',
    default: [],
    doc: `How many requests one client may make: \`20/s\`, \`100/m\`, \`1000/h\` or \`5000/d\`, with
\`:burst=N\` for how many at once; more are answered with 429.
Comma separated; a request must be within all of them.

It is a token bucket: \`20/s:burst=40\` allows 40 requests at once, and then one each 50 ms.
Without a burst, the number of requests is the burst.
Refused requests do not count.
The answer has \`Retry-After\`, and \`RateLimit\` and \`RateLimit-Policy\` of the IETF's draft.

A client is an IPv4 address or a /64 network of IPv6.
Behind a trusted proxy, it is the one that the proxy names, with \`forwarded_headers\`; without that
setting, all clients of a proxy are one.
The acceptors of a server share the limit.
With one acceptor, HUP begins with full buckets.
The server remembers 100000 clients, and forgets those first that have been silent for longest.`,
  },
  {
    name: 'rate_limit_store',
    section: 'Limits and buffering',
    flags: ['--rate-limit-store'],
    type: 'string',
    rule: 'redis-url',
    nullable: true,
    metavar: 'URL',
    default: null,
    env: 'MONOCEROS_RATE_LIMIT_STORE',
    doc: `The Redis that counts for \`rate_limit\`, which makes the limit one for many servers:
\`redis://HOST:PORT/DATABASE\`, or \`rediss://\` for TLS.
It needs the package \`ioredis\`.

Give each site a database of its own.
While Redis is down, each acceptor counts by itself, and a line in the log says so.
Use the environment variable \`MONOCEROS_RATE_LIMIT_STORE\` for a URL with a password, which other
users of the machine could see on the command line.`,
  },
  {
    name: 'rate_limit_exempt',
    section: 'Limits and buffering',
    flags: ['--rate-limit-exempt'],
    type: 'strings',
    rule: 'networks',
    metavar: 'ADDRESSES',
    default: [],
    doc: `Addresses and networks (\`10.0.0.0/8\`) of clients that \`rate_limit\` does not apply to,
such as monitoring.
Comma separated.`,
  },
  {
    name: 'security_headers',
    section: 'Responses and proxies',
    flags: ['--security-headers'],
    offFlag: '--no-security-headers',
    type: 'boolean',
    default: false,
    doc: `Adds headers that protect browsers to all responses, unless the application sets them
itself.
They are \`X-Content-Type-Options: nosniff\`,
\`Referrer-Policy: strict-origin-when-cross-origin\`, \`X-Frame-Options: SAMEORIGIN\`,
\`Cross-Origin-Opener-Policy: same-origin-allow-popups\` and
\`X-Permitted-Cross-Domain-Policies: none\`.

Static files and the server's own answers have them too, except answers to malformed requests.
\`Content-Security-Policy\` and \`Permissions-Policy\` depend on what a site does, so the application
sets them.`,
  },
] as const satisfies readonly SettingDefinition[]

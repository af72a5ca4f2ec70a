/**
 * Gunicorn's settings that Monoceros does not have. Harmless ones are ignored with a note, so that
 * a command line written for Gunicorn works. The others are errors that say what to do instead.
 */

export interface GunicornSetting {
  /** Gunicorn's name in a config file. */
  readonly name: string
  readonly flags: readonly string[]
  readonly takesValue: boolean
  /** The values that are ignored, or whether all are; other values are refused. */
  readonly ignored: boolean | readonly string[]
  /** The reason, and what to do; follows `NAME is not needed: ` or `NAME is not supported: `. */
  readonly advice: string
  /** The advice for ignored values, if it differs. */
  readonly adviceIgnored?: string
}

const REFUSED = { takesValue: true, ignored: false } as const
const REFUSED_SWITCH = { takesValue: false, ignored: false } as const
const IGNORED = { takesValue: true, ignored: true } as const
const IGNORED_SWITCH = { takesValue: false, ignored: true } as const

const LAX = 'it accepts malformed requests, which can be used to smuggle requests past proxies'
const ASGI = 'only WSGI applications are supported, not ASGI'
const DIRTY = 'there are no dirty workers; use a task queue for long jobs'
const PASTE = 'write a module that calls paste.deploy.loadapp, and serve that module'
/** For settings that only refine one that is refused: alone, they mean nothing to Gunicorn. */
const withoutEffect = (other: string) => `it has no effect without ${other}`

export const gunicornSettings: readonly GunicornSetting[] = [
  {
    name: 'sendfile',
    flags: ['--no-sendfile'],
    ...IGNORED_SWITCH,
    advice: 'workers never write to a client, so there is nothing to turn off',
  },
  { name: 'http_parser', flags: ['--http-parser'], ...IGNORED, advice: 'there is one HTTP parser' },
  {
    name: 'spew',
    flags: ['--spew'],
    ...REFUSED_SWITCH,
    advice: 'use a Python tracer or debugger in the application',
  },
  {
    name: 'suppress_ragged_eofs',
    flags: ['--suppress-ragged-eofs'],
    ...IGNORED_SWITCH,
    advice: 'a client that leaves without the end of TLS has left, and no error',
  },
  {
    name: 'do_handshake_on_connect',
    flags: ['--do-handshake-on-connect'],
    ...IGNORED_SWITCH,
    advice: 'a handshake begins when the client connects, and holds up nobody',
  },
  {
    name: 'http_protocols',
    flags: ['--http-protocols'],
    takesValue: true,
    ignored: ['h1', 'h2,h1', 'h1,h2', 'h2, h1', 'h1, h2'],
    advice: 'HTTP/1.1 is always served, and HTTP/2 beside it with TLS; see http2',
  },
  {
    name: 'http2_cleartext',
    flags: ['--http2-cleartext'],
    takesValue: true,
    ignored: ['off'],
    advice: 'use h2c for HTTP/2 without TLS by prior knowledge; there is no upgrade to it',
  },
  {
    name: 'protocol',
    flags: ['--protocol'],
    takesValue: true,
    ignored: ['http'],
    advice: 'only HTTP is supported',
  },
  {
    name: 'uwsgi_allow_ips',
    flags: ['--uwsgi-allow-from'],
    ...IGNORED,
    advice: withoutEffect('protocol uwsgi'),
  },
  {
    name: 'logger_class',
    flags: ['--logger-class'],
    takesValue: true,
    ignored: ['gunicorn.glogging.Logger', 'simple', 'gunicorn.instrument.statsd.Statsd'],
    advice:
      'both logs are written outside Python. Use --access-logformat, --error-logformat and ' +
      '--statsd-host for them, and --log-config for the logging of the application',
    adviceIgnored: 'both logs are written outside Python',
  },
  { name: 'paste', flags: ['--paste', '--paster'], ...REFUSED, advice: PASTE },
  {
    name: 'raw_paste_global_conf',
    flags: ['--paste-global'],
    ...IGNORED,
    advice: withoutEffect('paste'),
  },
  ...[
    'permit_obsolete_folding',
    'strip_header_spaces',
    'permit_unconventional_http_method',
    'permit_unconventional_http_version',
    'casefold_http_method',
  ].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...REFUSED_SWITCH,
    advice: LAX,
  })),
  ...[
    'asgi_loop',
    'asgi_lifespan',
    'asgi_disconnect_grace_period',
    'websocket_max_message_size',
  ].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...IGNORED,
    advice: ASGI,
  })),
  ...['dirty_apps', 'dirty_workers'].map((name) => ({
    name,
    flags: [name === 'dirty_apps' ? '--dirty-app' : '--dirty-workers'],
    ...REFUSED,
    advice: DIRTY,
  })),
  ...['dirty_timeout', 'dirty_threads', 'dirty_graceful_timeout'].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...IGNORED,
    advice: withoutEffect('dirty_workers'),
  })),
  ...['on_dirty_starting', 'dirty_post_fork', 'dirty_worker_init', 'dirty_worker_exit'].map(
    (name) => ({ name, flags: [], ...IGNORED, advice: withoutEffect('dirty_workers') }),
  ),
  {
    name: 'ssl_context',
    flags: [],
    ...REFUSED,
    advice:
      'in a gunicorn.conf.py, what it does with the default context is taken over; elsewhere use ' +
      'tls_minimum, ciphers, cert_reqs and ca_certs',
  },
]

/**
 * The note or the error for a setting of Gunicorn.
 *
 * @param given where it was given: `--worker-class`, `monoceros.config.json: worker_class`
 * @param value `undefined` for a switch
 */
export function gunicornAdvice(
  setting: GunicornSetting,
  given: string,
  value: unknown,
): { refused: boolean; text: string } {
  const harmless =
    typeof setting.ignored === 'boolean' ? setting.ignored : setting.ignored.includes(String(value))
  const what = typeof setting.ignored === 'boolean' ? given : `${given} ${String(value)}`
  return harmless
    ? { refused: false, text: `${what} is not needed: ${setting.adviceIgnored ?? setting.advice}` }
    : { refused: true, text: `${what} is not supported: ${setting.advice}` }
}

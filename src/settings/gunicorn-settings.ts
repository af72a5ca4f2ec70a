/**
 * Gunicorn's settings that Monoceros has not: which of them do no harm and are ignored with a note,
 * so that a command line written for Gunicorn works, and what to do instead of the others.
 */

export interface GunicornSetting {
  /** Gunicorn's name in a config file. */
  readonly name: string
  readonly flags: readonly string[]
  readonly takesValue: boolean
  /** Values (all, when there is no list) that are ignored; what else there is, is refused. */
  readonly ignored: boolean | readonly string[]
  /**
   * Why it is ignored or refused, and what to do. Follows `NAME is not needed: ` or `NAME is not
   * supported: `.
   */
  readonly advice: string
  /** Another advice for values that are ignored. */
  readonly adviceIgnored?: string
}

const refused = { takesValue: true, ignored: false } as const
const refusedSwitch = { takesValue: false, ignored: false } as const
const ignored = { takesValue: true, ignored: true } as const
const ignoredSwitch = { takesValue: false, ignored: true } as const

const tls = 'TLS is not served yet; let a proxy in front terminate it (see forwarded_allow_ips)'
const http2 = 'HTTP/2 is not served yet'
const user = 'start monoceros as that user instead (User= of systemd, setpriv, sudo -u)'
const reload = 'send HUP to the arbiter to load the application anew'
const otherLog =
  'the logs are --access-logfile and --error-logfile; collect them from these files or from the standard streams'
const lax = 'it would accept malformed requests, which is how requests are smuggled past proxies'
const asgi = 'ASGI applications are not served, only WSGI ones'
const dirty = 'there are no dirty workers; use a task queue for long jobs'
const paste = 'write a module that calls paste.deploy.loadapp, and serve that'
const hook =
  'server hooks run inside of Gunicorn; start-up code belongs into the application module'
const control = 'there is no control socket; send signals to the arbiter'

export const gunicornSettings: readonly GunicornSetting[] = [
  {
    name: 'worker_class',
    flags: ['-k', '--worker-class'],
    takesValue: true,
    ignored: ['sync', 'gthread'],
    advice:
      'there is one kind of worker, which never waits for a client; leave it out, and use --threads or more --workers for an application that waits for other servers',
    adviceIgnored: 'there is one kind of worker, with as many threads as --threads says',
  },
  {
    name: 'worker_connections',
    flags: ['--worker-connections'],
    ...ignored,
    advice: 'connections cost no worker; --max-connections limits them',
  },
  {
    name: 'worker_tmp_dir',
    flags: ['--worker-tmp-dir'],
    ...ignored,
    advice: 'workers have no heartbeat file',
  },
  {
    name: 'reuse_port',
    flags: ['--reuse-port'],
    ...ignoredSwitch,
    advice: 'all acceptors share one listening socket',
  },
  {
    name: 'sendfile',
    flags: ['--no-sendfile'],
    ...ignoredSwitch,
    advice: 'workers never write to a client, so it has nothing to switch off',
  },
  {
    name: 'capture_output',
    flags: ['--capture-output'],
    ...ignoredSwitch,
    advice: 'what the application prints is always a part of the error log',
  },
  {
    name: 'enable_stdio_inheritance',
    flags: ['-R', '--enable-stdio-inheritance'],
    ...ignoredSwitch,
    advice: 'what the application prints is always a part of the error log',
  },
  {
    name: 'disable_redirect_access_to_syslog',
    flags: ['--disable-redirect-access-to-syslog'],
    ...ignoredSwitch,
    advice: 'nothing goes to syslog',
  },
  { name: 'http_parser', flags: ['--http-parser'], ...ignored, advice: 'there is one HTTP parser' },
  {
    name: 'control_socket_disable',
    flags: ['--no-control-socket'],
    ...ignoredSwitch,
    advice: 'there is no control socket',
  },
  { name: 'proc_name', flags: ['-n', '--name'], ...ignored, advice: 'processes keep their names' },
  { name: 'default_proc_name', flags: [], ...ignored, advice: 'processes keep their names' },
  {
    name: 'preload_app',
    flags: ['--preload'],
    ...refusedSwitch,
    advice:
      'every worker loads the application in an interpreter of its own, since nothing is forked; leave it out',
  },
  {
    name: 'daemon',
    flags: ['-D', '--daemon'],
    ...refusedSwitch,
    advice:
      'run it under a service manager (systemd, a container), or in the background of the shell with nohup and &',
  },
  { name: 'reload', flags: ['--reload'], ...refusedSwitch, advice: reload },
  { name: 'reload_engine', flags: ['--reload-engine'], ...refused, advice: reload },
  { name: 'reload_extra_files', flags: ['--reload-extra-file'], ...refused, advice: reload },
  {
    name: 'spew',
    flags: ['--spew'],
    ...refusedSwitch,
    advice: 'use a Python tracer or debugger in the application',
  },
  { name: 'user', flags: ['-u', '--user'], ...refused, advice: user },
  { name: 'group', flags: ['-g', '--group'], ...refused, advice: user },
  { name: 'initgroups', flags: ['--initgroups'], ...refusedSwitch, advice: user },
  {
    name: 'umask',
    flags: ['-m', '--umask'],
    ...refused,
    advice: 'set it where monoceros is started (umask in the shell, UMask= of systemd)',
  },
  ...['keyfile', 'certfile', 'ssl_version', 'cert_reqs', 'ca_certs', 'ciphers'].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...refused,
    advice: tls,
  })),
  {
    name: 'suppress_ragged_eofs',
    flags: ['--suppress-ragged-eofs'],
    ...refusedSwitch,
    advice: tls,
  },
  {
    name: 'do_handshake_on_connect',
    flags: ['--do-handshake-on-connect'],
    ...refusedSwitch,
    advice: tls,
  },
  ...[
    'http_protocols',
    'http2_cleartext',
    'http2_max_concurrent_streams',
    'http2_initial_window_size',
    'http2_max_frame_size',
    'http2_max_header_list_size',
  ].map((name) => ({ name, flags: [`--${name.replaceAll('_', '-')}`], ...refused, advice: http2 })),
  ...[
    ['proxy_protocol', '--proxy-protocol'],
    ['proxy_allow_ips', '--proxy-allow-from'],
  ].map(([name, flag]) => ({
    name: name!,
    flags: [flag!],
    ...refused,
    advice:
      'the PROXY protocol is not spoken; see forwarded_allow_ips for proxies that set headers',
  })),
  {
    name: 'protocol',
    flags: ['--protocol'],
    takesValue: true,
    ignored: ['http'],
    advice: 'only HTTP is served',
  },
  {
    name: 'uwsgi_allow_ips',
    flags: ['--uwsgi-allow-from'],
    ...refused,
    advice: 'only HTTP is served',
  },
  ...[
    ['logger_class', '--logger-class'],
    ['logconfig', '--log-config'],
    ['logconfig_json', '--log-config-json'],
    ['syslog_addr', '--log-syslog-to'],
    ['syslog_prefix', '--log-syslog-prefix'],
    ['syslog_facility', '--log-syslog-facility'],
  ].map(([name, flag]) => ({ name: name!, flags: [flag!], ...refused, advice: otherLog })),
  { name: 'logconfig_dict', flags: [], ...refused, advice: otherLog },
  { name: 'syslog', flags: ['--log-syslog'], ...refusedSwitch, advice: otherLog },
  ...['statsd_host', 'statsd_prefix', 'dogstatsd_tags'].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...refused,
    advice: 'no metrics are sent yet; the access log has the duration of each request (%(D)s)',
  })),
  {
    name: 'enable_backlog_metric',
    flags: ['--enable-backlog-metric'],
    ...refusedSwitch,
    advice: 'no metrics are sent yet',
  },
  { name: 'paste', flags: ['--paste', '--paster'], ...refused, advice: paste },
  { name: 'raw_paste_global_conf', flags: ['--paste-global'], ...refused, advice: paste },
  ...[
    'permit_obsolete_folding',
    'strip_header_spaces',
    'permit_unconventional_http_method',
    'permit_unconventional_http_version',
    'casefold_http_method',
  ].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...refusedSwitch,
    advice: lax,
  })),
  {
    name: 'forwarder_headers',
    flags: ['--forwarder-headers'],
    ...refused,
    advice: 'no proxy may set SCRIPT_NAME or PATH_INFO; use --root-path',
  },
  ...[
    'asgi_loop',
    'asgi_lifespan',
    'asgi_disconnect_grace_period',
    'websocket_max_message_size',
  ].map((name) => ({
    name,
    flags: [`--${name.replaceAll('_', '-')}`],
    ...refused,
    advice: asgi,
  })),
  ...[
    'dirty_apps',
    'dirty_workers',
    'dirty_timeout',
    'dirty_threads',
    'dirty_graceful_timeout',
  ].map((name) => ({
    name,
    flags: [name === 'dirty_apps' ? '--dirty-app' : `--${name.replaceAll('_', '-')}`],
    ...refused,
    advice: dirty,
  })),
  { name: 'control_socket', flags: ['--control-socket'], ...refused, advice: control },
  { name: 'control_socket_mode', flags: ['--control-socket-mode'], ...refused, advice: control },
  ...[
    'on_starting',
    'on_reload',
    'when_ready',
    'pre_fork',
    'post_fork',
    'post_worker_init',
    'worker_int',
    'worker_abort',
    'pre_exec',
    'pre_request',
    'post_request',
    'child_exit',
    'worker_exit',
    'nworkers_changed',
    'on_exit',
    'on_dirty_starting',
    'dirty_post_fork',
    'dirty_worker_init',
    'dirty_worker_exit',
  ].map((name) => ({ name, flags: [], ...refused, advice: hook })),
  { name: 'ssl_context', flags: [], ...refused, advice: tls },
]

/**
 * The setting in full words: what to say when it was given that value (`undefined` for a switch).
 */
export function judge(
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

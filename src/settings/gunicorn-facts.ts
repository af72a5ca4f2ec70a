/**
 * Gunicorn's settings, all of them: facts about Gunicorn 27, and nothing about us. A test compares
 * them with an installed Gunicorn.
 */

/**
 * What Gunicorn makes of a value.
 *
 * - `string`: the text without white space around it
 * - `strings`: a list of texts; a text alone is a list of one
 * - `comma-separated`: a text with commas
 * - `integer`: also a text such as `0x10`
 * - `boolean`: also `"true"` and `"false"`
 * - `class`, `hook`: also the path to import it from
 * - `other`: has a rule of its own
 */
export type GunicornKind =
  | 'string'
  | 'strings'
  | 'comma-separated'
  | 'integer'
  | 'boolean'
  | 'mapping'
  | 'class'
  | 'hook'
  | 'other'

/** A setting of Gunicorn. */
export interface GunicornFact {
  readonly name: string
  readonly flags: readonly string[]
  readonly kind: GunicornKind
  /**
   * In JSON; null if it is `None`, depends on the machine, or is a function that does nothing.
   */
  readonly default: unknown
}

export const gunicornFacts: readonly GunicornFact[] = [
  { name: 'config', flags: ['-c', '--config'], kind: 'string', default: './gunicorn.conf.py' },
  { name: 'wsgi_app', flags: [], kind: 'string', default: null },
  { name: 'bind', flags: ['-b', '--bind'], kind: 'strings', default: ['127.0.0.1:8000'] },
  { name: 'backlog', flags: ['--backlog'], kind: 'integer', default: 2048 },
  { name: 'workers', flags: ['-w', '--workers'], kind: 'integer', default: 1 },
  { name: 'worker_class', flags: ['-k', '--worker-class'], kind: 'class', default: 'sync' },
  { name: 'threads', flags: ['--threads'], kind: 'integer', default: 1 },
  { name: 'worker_connections', flags: ['--worker-connections'], kind: 'integer', default: 1000 },
  { name: 'max_requests', flags: ['--max-requests'], kind: 'integer', default: 0 },
  { name: 'max_requests_jitter', flags: ['--max-requests-jitter'], kind: 'integer', default: 0 },
  { name: 'timeout', flags: ['-t', '--timeout'], kind: 'integer', default: 30 },
  { name: 'graceful_timeout', flags: ['--graceful-timeout'], kind: 'integer', default: 30 },
  { name: 'keepalive', flags: ['--keep-alive'], kind: 'integer', default: 2 },
  { name: 'limit_request_line', flags: ['--limit-request-line'], kind: 'integer', default: 4094 },
  {
    name: 'limit_request_fields',
    flags: ['--limit-request-fields'],
    kind: 'integer',
    default: 100,
  },
  {
    name: 'limit_request_field_size',
    flags: ['--limit-request-field_size'],
    kind: 'integer',
    default: 8190,
  },
  { name: 'reload', flags: ['--reload'], kind: 'boolean', default: false },
  { name: 'reload_engine', flags: ['--reload-engine'], kind: 'other', default: 'auto' },
  { name: 'reload_extra_files', flags: ['--reload-extra-file'], kind: 'strings', default: [] },
  { name: 'spew', flags: ['--spew'], kind: 'boolean', default: false },
  { name: 'check_config', flags: ['--check-config'], kind: 'boolean', default: false },
  { name: 'print_config', flags: ['--print-config'], kind: 'boolean', default: false },
  { name: 'preload_app', flags: ['--preload'], kind: 'boolean', default: false },
  { name: 'sendfile', flags: ['--no-sendfile'], kind: 'boolean', default: null },
  { name: 'reuse_port', flags: ['--reuse-port'], kind: 'boolean', default: false },
  { name: 'chdir', flags: ['--chdir'], kind: 'other', default: '.' },
  { name: 'daemon', flags: ['-D', '--daemon'], kind: 'boolean', default: false },
  { name: 'raw_env', flags: ['-e', '--env'], kind: 'strings', default: [] },
  { name: 'pidfile', flags: ['-p', '--pid'], kind: 'string', default: null },
  { name: 'worker_tmp_dir', flags: ['--worker-tmp-dir'], kind: 'string', default: null },
  { name: 'user', flags: ['-u', '--user'], kind: 'other', default: null },
  { name: 'group', flags: ['-g', '--group'], kind: 'other', default: null },
  { name: 'umask', flags: ['-m', '--umask'], kind: 'integer', default: 0 },
  { name: 'initgroups', flags: ['--initgroups'], kind: 'boolean', default: false },
  { name: 'tmp_upload_dir', flags: [], kind: 'string', default: null },
  {
    name: 'secure_scheme_headers',
    flags: [],
    kind: 'mapping',
    default: {
      'X-FORWARDED-PROTOCOL': 'ssl',
      'X-FORWARDED-PROTO': 'https',
      'X-FORWARDED-SSL': 'on',
    },
  },
  {
    name: 'forwarded_allow_ips',
    flags: ['--forwarded-allow-ips'],
    kind: 'comma-separated',
    default: '127.0.0.1,::1',
  },
  { name: 'accesslog', flags: ['--access-logfile'], kind: 'string', default: null },
  {
    name: 'disable_redirect_access_to_syslog',
    flags: ['--disable-redirect-access-to-syslog'],
    kind: 'boolean',
    default: false,
  },
  {
    name: 'access_log_format',
    flags: ['--access-logformat'],
    kind: 'string',
    default: '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"',
  },
  { name: 'errorlog', flags: ['--error-logfile', '--log-file'], kind: 'string', default: '-' },
  { name: 'loglevel', flags: ['--log-level'], kind: 'string', default: 'info' },
  { name: 'capture_output', flags: ['--capture-output'], kind: 'boolean', default: false },
  {
    name: 'logger_class',
    flags: ['--logger-class'],
    kind: 'class',
    default: 'gunicorn.glogging.Logger',
  },
  { name: 'logconfig', flags: ['--log-config'], kind: 'string', default: null },
  { name: 'logconfig_dict', flags: [], kind: 'mapping', default: {} },
  { name: 'logconfig_json', flags: ['--log-config-json'], kind: 'string', default: null },
  {
    name: 'syslog_addr',
    flags: ['--log-syslog-to'],
    kind: 'string',
    default: 'udp://localhost:514',
  },
  { name: 'syslog', flags: ['--log-syslog'], kind: 'boolean', default: false },
  { name: 'syslog_prefix', flags: ['--log-syslog-prefix'], kind: 'string', default: null },
  { name: 'syslog_facility', flags: ['--log-syslog-facility'], kind: 'string', default: 'user' },
  {
    name: 'enable_stdio_inheritance',
    flags: ['-R', '--enable-stdio-inheritance'],
    kind: 'boolean',
    default: false,
  },
  { name: 'statsd_host', flags: ['--statsd-host'], kind: 'other', default: null },
  { name: 'dogstatsd_tags', flags: ['--dogstatsd-tags'], kind: 'string', default: '' },
  { name: 'statsd_prefix', flags: ['--statsd-prefix'], kind: 'string', default: '' },
  {
    name: 'enable_backlog_metric',
    flags: ['--enable-backlog-metric'],
    kind: 'boolean',
    default: false,
  },
  { name: 'proc_name', flags: ['-n', '--name'], kind: 'string', default: null },
  { name: 'default_proc_name', flags: [], kind: 'string', default: 'gunicorn' },
  { name: 'pythonpath', flags: ['--pythonpath'], kind: 'string', default: null },
  { name: 'paste', flags: ['--paste', '--paster'], kind: 'string', default: null },
  { name: 'on_starting', flags: [], kind: 'hook', default: null },
  { name: 'on_reload', flags: [], kind: 'hook', default: null },
  { name: 'when_ready', flags: [], kind: 'hook', default: null },
  { name: 'pre_fork', flags: [], kind: 'hook', default: null },
  { name: 'post_fork', flags: [], kind: 'hook', default: null },
  { name: 'post_worker_init', flags: [], kind: 'hook', default: null },
  { name: 'worker_int', flags: [], kind: 'hook', default: null },
  { name: 'worker_abort', flags: [], kind: 'hook', default: null },
  { name: 'pre_exec', flags: [], kind: 'hook', default: null },
  { name: 'pre_request', flags: [], kind: 'hook', default: null },
  { name: 'post_request', flags: [], kind: 'hook', default: null },
  { name: 'child_exit', flags: [], kind: 'hook', default: null },
  { name: 'worker_exit', flags: [], kind: 'hook', default: null },
  { name: 'nworkers_changed', flags: [], kind: 'hook', default: null },
  { name: 'on_exit', flags: [], kind: 'hook', default: null },
  { name: 'ssl_context', flags: [], kind: 'hook', default: null },
  { name: 'proxy_protocol', flags: ['--proxy-protocol'], kind: 'other', default: 'off' },
  {
    name: 'proxy_allow_ips',
    flags: ['--proxy-allow-from'],
    kind: 'comma-separated',
    default: '127.0.0.1,::1',
  },
  { name: 'protocol', flags: ['--protocol'], kind: 'string', default: 'http' },
  {
    name: 'uwsgi_allow_ips',
    flags: ['--uwsgi-allow-from'],
    kind: 'comma-separated',
    default: '127.0.0.1,::1',
  },
  { name: 'keyfile', flags: ['--keyfile'], kind: 'string', default: null },
  { name: 'certfile', flags: ['--certfile'], kind: 'string', default: null },
  { name: 'ssl_version', flags: ['--ssl-version'], kind: 'other', default: 2 },
  { name: 'cert_reqs', flags: ['--cert-reqs'], kind: 'integer', default: 0 },
  { name: 'ca_certs', flags: ['--ca-certs'], kind: 'string', default: null },
  {
    name: 'suppress_ragged_eofs',
    flags: ['--suppress-ragged-eofs'],
    kind: 'boolean',
    default: true,
  },
  {
    name: 'do_handshake_on_connect',
    flags: ['--do-handshake-on-connect'],
    kind: 'boolean',
    default: false,
  },
  { name: 'ciphers', flags: ['--ciphers'], kind: 'string', default: null },
  { name: 'http_protocols', flags: ['--http-protocols'], kind: 'comma-separated', default: 'h1' },
  { name: 'http2_cleartext', flags: ['--http2-cleartext'], kind: 'other', default: 'off' },
  {
    name: 'http2_max_concurrent_streams',
    flags: ['--http2-max-concurrent-streams'],
    kind: 'integer',
    default: 100,
  },
  {
    name: 'http2_initial_window_size',
    flags: ['--http2-initial-window-size'],
    kind: 'integer',
    default: 65535,
  },
  {
    name: 'http2_max_frame_size',
    flags: ['--http2-max-frame-size'],
    kind: 'integer',
    default: 16384,
  },
  {
    name: 'http2_max_header_list_size',
    flags: ['--http2-max-header-list-size'],
    kind: 'integer',
    default: 65536,
  },
  { name: 'raw_paste_global_conf', flags: ['--paste-global'], kind: 'strings', default: [] },
  {
    name: 'permit_obsolete_folding',
    flags: ['--permit-obsolete-folding'],
    kind: 'boolean',
    default: false,
  },
  {
    name: 'strip_header_spaces',
    flags: ['--strip-header-spaces'],
    kind: 'boolean',
    default: false,
  },
  {
    name: 'permit_unconventional_http_method',
    flags: ['--permit-unconventional-http-method'],
    kind: 'boolean',
    default: false,
  },
  {
    name: 'permit_unconventional_http_version',
    flags: ['--permit-unconventional-http-version'],
    kind: 'boolean',
    default: false,
  },
  {
    name: 'casefold_http_method',
    flags: ['--casefold-http-method'],
    kind: 'boolean',
    default: false,
  },
  {
    name: 'forwarder_headers',
    flags: ['--forwarder-headers'],
    kind: 'comma-separated',
    default: 'SCRIPT_NAME,PATH_INFO',
  },
  { name: 'header_map', flags: ['--header-map'], kind: 'other', default: 'drop' },
  { name: 'asgi_loop', flags: ['--asgi-loop'], kind: 'other', default: 'auto' },
  { name: 'asgi_lifespan', flags: ['--asgi-lifespan'], kind: 'other', default: 'auto' },
  {
    name: 'asgi_disconnect_grace_period',
    flags: ['--asgi-disconnect-grace-period'],
    kind: 'integer',
    default: 3,
  },
  {
    name: 'websocket_max_message_size',
    flags: ['--websocket-max-message-size'],
    kind: 'integer',
    default: 16777216,
  },
  { name: 'http_parser', flags: ['--http-parser'], kind: 'other', default: 'auto' },
  { name: 'root_path', flags: ['--root-path'], kind: 'string', default: '' },
  { name: 'dirty_apps', flags: ['--dirty-app'], kind: 'strings', default: [] },
  { name: 'dirty_workers', flags: ['--dirty-workers'], kind: 'integer', default: 0 },
  { name: 'dirty_timeout', flags: ['--dirty-timeout'], kind: 'integer', default: 300 },
  { name: 'dirty_threads', flags: ['--dirty-threads'], kind: 'integer', default: 1 },
  {
    name: 'dirty_graceful_timeout',
    flags: ['--dirty-graceful-timeout'],
    kind: 'integer',
    default: 30,
  },
  { name: 'on_dirty_starting', flags: [], kind: 'hook', default: null },
  { name: 'dirty_post_fork', flags: [], kind: 'hook', default: null },
  { name: 'dirty_worker_init', flags: [], kind: 'hook', default: null },
  { name: 'dirty_worker_exit', flags: [], kind: 'hook', default: null },
  { name: 'control_socket', flags: ['--control-socket'], kind: 'string', default: null },
  { name: 'control_socket_mode', flags: ['--control-socket-mode'], kind: 'integer', default: 384 },
  {
    name: 'control_socket_disable',
    flags: ['--no-control-socket'],
    kind: 'boolean',
    default: false,
  },
]

const LOGCONFIG =
  "for the server's own logs, files, streams, levels and JSON " +
  '[are taken over](logging.md#pythons-logging)'

/**
 * How our settings differ from Gunicorn's of the same name, for the guide. A setting that is not
 * listed is the same, including its default.
 */
export const gunicornDifferences: Readonly<Record<string, string>> = {
  config:
    'also a config file in JSON, JavaScript or TypeScript; such a `monoceros.config.*` in the ' +
    'folder is found first',
  bind:
    '`tls:` in front for TLS beside plain addresses; `unix:@NAME` for abstract sockets; ' +
    '`fd://` may stand beside others; may have commas',
  control_socket:
    'one for each server, in a folder of its own; for `monoceros ctl` ' +
    '([control](control.md)), not for `gunicornc`',
  initgroups: 'the group is `group`; in Gunicorn it stays root',
  user: "without `group`, the group is the user's own, not root's; root's other groups are dropped",
  umask: '`--socket-mode` and `--socket-group` are for the sockets alone',
  worker_tmp_dir: "the folder of each worker's small shared file",
  reuse_port: 'one socket for each server, not for each worker, so a reload loses no connection',
  worker_class:
    '`sync`, `gthread` and [`gevent`](#gevent), by any of their names; classes for eventlet, ' +
    'tornado and ASGI and your own are refused',
  worker_connections:
    'with `gevent`, requests that each worker runs at once; `--max-connections` limits connections',
  daemon:
    'the command ends when the server serves; its exit status shows whether the start succeeded',
  enable_stdio_inheritance:
    'only for `daemon`; workers always print to the error log, or see `capture_output`',
  proc_name:
    '`monoceros: master [NAME]`, and likewise acceptors and workers; ' +
    'never needs a package for the master',
  default_proc_name: 'the default is the application, as in practice there',
  post_fork:
    'with `user`, it runs as that user already; without `--preload`, each worker runs the config ' +
    'file again, so that user must be able to read it',
  max_requests: 'the new worker is ready before the old one leaves',
  timeout: 'for one request, which gets 504; loading has `load_timeout`',
  keepalive: 'the default is 5 instead of 2, and it holds for every worker class',
  http2_max_concurrent_streams: 'at most 10000',
  http2_initial_window_size: '1 KiB to 16 MiB',
  http2_max_header_list_size: 'at most 1 MiB, and never unlimited',
  limit_request_line: '`limit_request_head` (64 KiB) applies as well; 0 means 1 MiB',
  limit_request_fields: '`limit_request_head` (64 KiB) applies as well; 0 means 32768',
  limit_request_field_size: '`limit_request_head` (64 KiB) applies as well; 0 means 1 MiB',
  check_config: 'the exit status is 2 for a mistake in the settings, 3 if the application fails',
  print_config: 'prints JSON, and does not load the application',
  chdir: 'HUP follows a link again, also one that the command was started in',
  raw_env: 'in a config file also a dictionary',
  preload_app: 'a HUP loads the application again; [in a process of its own](deploy.md#preloading)',
  tmp_upload_dir: 'also a flag, `--tmp-upload-dir`; holds the responses for slow clients, too',
  ssl_version: 'Gunicorn ignores it; here it means what it says, and SSL and TLS 1.0 are refused',
  certfile: 'also several, chosen by SNI; read again when [the files change](tls.md#renewal)',
  keyfile: 'also several; matched by what they fit',
  cert_reqs:
    'with 1, a certificate that is not trusted does not end the connection: ' +
    '[the environ tells](tls.md#client-certificates); 1 and 2 need `ca_certs`',
  ciphers: 'the default is the list of Node.js',
  forwarded_allow_ips:
    'in a config file also a list; see also [`forwarded_headers`](behind-a-proxy.md)',
  proxy_protocol:
    'a connection of `proxy_allow_ips` without a header is refused; `LOCAL` and `UNKNOWN` mean ' +
    'the proxy itself',
  proxy_allow_ips: 'in a config file also a list; also `--proxy-allow-ips`',
  forwarder_headers:
    'in a config file also a list; a path that is not below `SCRIPT_NAME` is served as it is',
  access_log_format: 'the same atoms, with [a few differences](logging.md#text); also `json`',
  reload:
    '[watches templates too](developing.md), and the new application serves before the old one ' +
    'leaves',
  reload_extra_files: 'a pattern may match files that do not exist yet',
  capture_output:
    'always on; `raw` passes the output on [as it is](logging.md#what-the-application-prints)',
  logconfig: LOGCONFIG,
  logconfig_json: LOGCONFIG,
  logconfig_dict: LOGCONFIG,
  syslog_addr: 'over TCP, messages end with a line end',
  pythonpath: 'also a list; the first folder is searched first (in Gunicorn the last)',
  root_path:
    'in Gunicorn only for ASGI. Here it is `SCRIPT_NAME`, and its default is the environment ' +
    'variable `SCRIPT_NAME`; a path that is not below it is served as it is',
}

import type { SettingDefinition } from '../definition.ts'

/** How the running server is asked and told. */
export const controlSettings = [
  {
    name: 'control_socket',
    section: 'Control',
    flags: ['--control-socket'],
    type: 'path',
    metavar: 'PATH',
    nullable: true,
    default: null,
    doc: `The unix socket on which \`monoceros ctl\` and \`monoceros top\` ask the running server
and tell it what to do.
Defaults to a socket with the number of the process in a folder that only its user can enter:
\`$XDG_RUNTIME_DIR/monoceros\`, \`/run/monoceros\` for root, or \`/tmp/monoceros-UID\`.
The environment variable \`MONOCEROS_RUNTIME_DIR\` names another folder, for the server and for the
commands.

Give a path where the command cannot find it by itself, as under systemd with \`PrivateTmp=\`:
\`--control-socket /run/site/ctl.sock\`.
If another server uses the path, the command fails.
If the default cannot be used, the server logs why and serves without it.
The commands are in [Control](../guides/control.md), and the protocol is HTTP with JSON.
It is not that of \`gunicornc\`.`,
  },
  {
    name: 'control_socket_mode',
    section: 'Control',
    flags: ['--control-socket-mode'],
    type: 'umask',
    metavar: 'MODE',
    default: '0600',
    doc: `The mode of the control socket, as Gunicorn writes it: \`0o660\` in octal, other numbers
are decimal.
Who can write to it can stop the server.

With \`0o660\`, the group of the process may connect, if it can also enter the folder.`,
  },
  {
    name: 'control_socket_disable',
    section: 'Control',
    flags: ['--no-control-socket'],
    type: 'boolean',
    default: false,
    doc: `Open no control socket.
Then only signals control the server, and it keeps no entries of its error log for questions.`,
  },
  {
    name: 'control_token_file',
    section: 'Control',
    flags: ['--control-token-file'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    env: 'MONOCEROS_CONTROL_TOKEN_FILE',
    doc: `A file with a token of at least 16 characters: then the commands of the control socket are
also at \`/control/…\` of \`metrics_bind\`, for who sends
\`Authorization: Bearer TOKEN\`.
Without it, nothing can be changed over that address.

A reload reads the file again.
Who has the token can stop the server, so keep the address on this machine or behind TLS.`,
  },
] as const satisfies readonly SettingDefinition[]

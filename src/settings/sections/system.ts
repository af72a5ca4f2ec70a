import type { SettingDefinition } from '../definition.ts'

/** The users and files of the system. */
export const systemSettings = [
  {
    name: 'user',
    section: 'System',
    flags: ['-u', '--user'],
    type: 'account',
    rule: 'user',
    metavar: 'USER',
    nullable: true,
    default: null,
    doc: `The user that acceptors and workers run as, by name or number.

Only root (or a process with \`CAP_SETUID\` and \`CAP_SETGID\`) can change the user.
The arbiter keeps its user, so it can bind ports below 1024 at the start and at each reload.
The arbiter runs no code of the application.
All processes that do run as that user from their first instruction, and cannot become root again.
The config file runs as the arbiter's user, as in Gunicorn.

Log files and unix sockets belong to that user.
Without \`group\`, the user's primary group is used.
Gunicorn keeps root's group in that case, and always root's supplementary groups.
Monoceros drops them.`,
  },
  {
    name: 'group',
    section: 'System',
    flags: ['-g', '--group'],
    type: 'account',
    rule: 'group',
    metavar: 'GROUP',
    nullable: true,
    default: null,
    doc: `The group that acceptors and workers run as, by name or number.
Defaults to the primary group of \`user\`.`,
  },
  {
    name: 'initgroups',
    section: 'System',
    flags: ['--initgroups'],
    type: 'boolean',
    default: false,
    doc: `Give acceptors and workers all groups that \`user\` is a member of.

Without it, they have only \`group\`.
It needs \`setpriv\` (of util-linux) or Python 3, because Node.js cannot start a process with several
groups.`,
  },
  {
    name: 'umask',
    section: 'System',
    flags: ['-m', '--umask'],
    type: 'umask',
    metavar: 'INT',
    default: 0,
    doc: `Permissions to remove from the mode of a unix socket, which is 0777 without them.

With 0, every user may connect, such as the nginx in front.
As in Gunicorn, a number that begins with \`0\` or \`0o\` is octal (\`007\`), one with \`0x\` is
hexadecimal, and others are decimal.
It has no effect on other files: those of the application follow the umask of the process that starts
the server (\`UMask=\` of systemd).`,
  },
  {
    name: 'socket_mode',
    section: 'System',
    flags: ['--socket-mode'],
    type: 'mode',
    metavar: 'MODE',
    nullable: true,
    default: null,
    doc: `The mode of unix sockets, in octal: \`660\`.
Without it, \`umask\` decides.`,
  },
  {
    name: 'socket_group',
    section: 'System',
    flags: ['--socket-group'],
    type: 'account',
    rule: 'group',
    metavar: 'GROUP',
    nullable: true,
    default: null,
    doc: `The group of unix sockets, by name or number.
Defaults to \`group\`.

\`--socket-group www-data --socket-mode 660\` lets nginx connect, and no other user.`,
  },
  {
    name: 'worker_tmp_dir',
    section: 'System',
    flags: ['--worker-tmp-dir'],
    type: 'path',
    rule: 'folder',
    metavar: 'DIR',
    nullable: true,
    default: null,
    doc: `The folder for a small file of each Python worker, in which it records its progress.

Name a folder in memory, such as \`/dev/shm\`, if the temporary folder is on a disk that can block.
The file has a name only for a moment.
Defaults to the acceptor's own folder, which is in \`tmp_upload_dir\`.`,
  },
] as const satisfies readonly SettingDefinition[]

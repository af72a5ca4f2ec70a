import type { SettingDefinition } from '../definition.ts'

/** Which application, and how it is run. */
export const applicationSettings = [
  {
    name: 'wsgi_app',
    section: 'Application',
    flags: [],
    type: 'string',
    metavar: 'APP',
    default: '',
    doc: `The application, as \`MODULE:NAME\` or \`FILE:NAME\`: the argument of the command without a flag.

\`MODULE\` is a Python module with dots, \`NAME\` a variable, a dotted attribute or a call with literal arguments, such as \`site.wsgi:create_app("production")\`.
Without \`:NAME\` it is \`application\`, or else \`app\`.

\`FILE\` ends in \`.ts\`, \`.mts\`, \`.cts\`, \`.js\`, \`.mjs\` or \`.cjs\`, \`NAME\` is something it exports, or a call of it with literal arguments: \`./app.ts:create("production")\`.
Without \`:NAME\` it is the default export, or else \`application\` or \`app\`.`,
  },
  {
    name: 'runtime',
    section: 'Application',
    flags: ['--runtime'],
    type: 'choice',
    choices: ['auto', 'cpython', 'pyodide', 'node'],
    metavar: 'NAME',
    default: 'auto',
    doc: `What runs the application: \`cpython\`, \`pyodide\`, \`node\`, or \`auto\`: what its name says.

A Python module runs on the Python of the system, and where none is found (and \`python\` names none) on the embedded one.

| runtime | runs |
|---|---|
| \`cpython\` | a Python module, in worker processes of a Python interpreter of the system |
| \`pyodide\` | a Python module, on the CPython that comes with Monoceros as WebAssembly: each worker is a thread with an interpreter of its own. See the [guide](../guides/no-python.md) |
| \`node\` | a TypeScript or JavaScript file, in the server's own processes, of which there are then as many as \`workers\` says |`,
  },
  {
    name: 'python',
    section: 'Application',
    flags: ['--python'],
    type: 'string',
    metavar: 'FILE',
    nullable: true,
    default: null,
    doc: `The Python interpreter: a path, or a name to look for on \`PATH\`; it must be 3.9 or newer.

When not set: that of \`$VIRTUAL_ENV\`, else of \`.venv\` in the application's folder, else \`python3\` on \`PATH\`.`,
  },
  {
    name: 'chdir',
    section: 'Application',
    flags: ['--chdir'],
    type: 'path',
    rule: 'folder',
    metavar: 'DIR',
    default: '.',
    doc: `The folder in which the application runs; modules are looked for there first.

Other paths on the command line (log files, sockets, the pid file) stay relative to the folder in which the command was started. Only \`pythonpath\` is relative to this one.`,
  },
  {
    name: 'pythonpath',
    section: 'Application',
    flags: ['--pythonpath'],
    type: 'strings',
    metavar: 'DIRS',
    default: [],
    doc: `Folders to look for Python modules in, before all others; comma separated, may be given several times.`,
  },
  {
    name: 'raw_env',
    section: 'Application',
    flags: ['-e', '--env'],
    type: 'mapping',
    rule: 'environment',
    metavar: 'KEY=VALUE',
    default: {},
    doc: `An environment variable for the application's process; may be given several times.

In a config file a list of \`"KEY=VALUE"\` or an object.`,
  },
  {
    name: 'inherit_env',
    section: 'Application',
    flags: ['--inherit-env'],
    type: 'boolean',
    default: false,
    doc: `Gives an application on the embedded Python the server's own environment variables; otherwise it has those of \`raw_env\` alone.

An application on the system's Python always has them.`,
  },
  {
    name: 'mounts',
    section: 'Application',
    flags: ['--mount'],
    type: 'strings',
    metavar: 'PATH[:ro]',
    default: [],
    doc: `A file or folder that an application on the embedded Python can see, at its own path; \`:ro\` makes it read-only. Comma separated, may be given several times.

What it sees without being told: the working directory, the folders of \`pythonpath\`, and the folder for temporary files.`,
  },
  {
    name: 'root_path',
    section: 'Application',
    flags: ['--root-path'],
    type: 'string',
    rule: 'root-path',
    metavar: 'PREFIX',
    default: '',
    doc: `The path under which the application is mounted: it becomes \`SCRIPT_NAME\`, and is taken off the front of \`PATH_INFO\` where it is there.

It starts with a slash and ends without one: \`/shop\`.`,
  },
  {
    name: 'strict',
    section: 'Application',
    flags: ['--strict'],
    type: 'boolean',
    default: false,
    doc: `Holds the application to PEP 3333 to the letter: what breaks a rule is an error in the application and status 500.

Otherwise the server serves what other servers serve too, as long as its meaning is clear and no byte of it could split or forge a response. The log says so once for each rule:

| the application | the server |
|---|---|
| sets \`Connection\`, \`Keep-Alive\`, \`Transfer-Encoding\`, \`Upgrade\` or another hop-by-hop header | leaves it out; whether the connection stays open, and how the body is framed, is up to the server and the client |
| passes headers as a tuple, \`dict.items()\`, a generator or another iterable | takes what it gives |
| passes a header as a list | takes it as a pair |
| gives blocks that are a \`bytearray\` or another buffer of bytes (TypeScript: \`ArrayBuffer\`, \`DataView\`) | sends their bytes |
| returns bytes instead of an iterable of them (Python) | sends them |
| passes a status without a reason (\`204\`), or with white space around it | sends an empty reason; trims it |
| repeats \`Content-Length\` with the same number, or puts white space around it | sends it once; trims it |

Everything else is refused with either setting: line ends and other control characters, names that are no tokens, wrong status codes, lengths that contradict each other. The middleware \`validator\` is always strict.`,
  },
] as const satisfies readonly SettingDefinition[]

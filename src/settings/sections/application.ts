import type { SettingDefinition } from '../definition.ts'

/** The application, and how it runs. */
export const applicationSettings = [
  {
    name: 'wsgi_app',
    section: 'Application',
    flags: [],
    type: 'string',
    metavar: 'APP',
    default: '',
    doc: `The application to serve, as \`MODULE:NAME\` or \`FILE:NAME\`; the argument of the command
that has no flag.

\`MODULE\` is a Python module with dots.
\`NAME\` is a variable, a dotted attribute, or a call with literal arguments, such as
\`site.wsgi:create_app("production")\`.
Without \`:NAME\`, the server looks for \`application\`, then for \`app\`.

\`FILE\` ends in \`.ts\`, \`.mts\`, \`.cts\`, \`.js\`, \`.mjs\` or \`.cjs\`.
\`NAME\` is one of its exports, or a call of one with literal arguments:
\`./app.ts:create("production")\`.
Without \`:NAME\`, the server takes the default export, or else \`application\` or \`app\`.`,
  },
  {
    name: 'runtime',
    section: 'Application',
    flags: ['--runtime'],
    type: 'choice',
    choices: ['auto', 'cpython', 'pyodide', 'node'],
    metavar: 'NAME',
    default: 'auto',
    doc: `What runs the application: \`cpython\`, \`pyodide\`, \`node\`, or \`auto\` to choose by
the application's name.

With \`auto\`, a Python module runs on the system's Python.
If there is none, and \`python\` does not name one, it runs on the embedded Python.

| runtime | runs |
|---|---|
| \`cpython\` | a Python module, in worker processes with the system's Python |
| \`pyodide\` | a Python module on the embedded Python: CPython as WebAssembly, from the npm package monoceros-pyodide. Each worker is a thread with its own interpreter. See the [guide](../guides/no-python.md) |
| \`node\` | a TypeScript or JavaScript file, in the processes of the server itself. There are as many of these as \`workers\` says |`,
  },
  {
    name: 'python',
    section: 'Application',
    flags: ['--python'],
    type: 'string',
    metavar: 'FILE',
    nullable: true,
    default: null,
    doc: `The Python interpreter: a path, or a name to look up on \`PATH\`.
It must be version 3.9 or newer.

Defaults to the interpreter of \`$VIRTUAL_ENV\`, then of \`.venv\` in the application's folder, then
\`python3\` on \`PATH\`.
The command of the Python package (\`pip install monoceros\`) uses the interpreter that the package
is installed for.`,
  },
  {
    name: 'chdir',
    section: 'Application',
    flags: ['--chdir'],
    type: 'path',
    rule: 'folder',
    metavar: 'DIR',
    default: '.',
    doc: `The folder in which the application runs, and the first one to be searched for modules.

Other relative paths (log files, the pid file, \`pythonpath\`) start from this folder, as in
Gunicorn; only the config file is looked for in the folder in which the command was started.`,
  },
  {
    name: 'pythonpath',
    section: 'Application',
    flags: ['--pythonpath'],
    type: 'strings',
    metavar: 'DIRS',
    default: [],
    doc: `Folders to search for Python modules before all others; comma separated, repeatable.`,
  },
  {
    name: 'raw_env',
    section: 'Application',
    flags: ['-e', '--env'],
    type: 'mapping',
    rule: 'environment',
    metavar: 'KEY=VALUE',
    default: {},
    doc: `An environment variable for the application's process; repeatable.

In a config file, use an object or a list of \`"KEY=VALUE"\`.`,
  },
  {
    name: 'inherit_env',
    section: 'Application',
    flags: ['--inherit-env'],
    type: 'boolean',
    default: false,
    doc: `Pass the server's environment variables to an application on the embedded Python.
By default it has only those of \`raw_env\`.

An application on the system's Python always has the server's environment variables.`,
  },
  {
    name: 'mounts',
    section: 'Application',
    flags: ['--mount'],
    type: 'strings',
    metavar: 'PATH[:ro]',
    default: [],
    doc: `A file or folder that an application on the embedded Python can see, at its own path;
\`:ro\` makes it read-only.
Comma separated, repeatable.

The working directory, the folders of \`pythonpath\` and the folder for temporary files are always
visible.`,
  },
  {
    name: 'root_path',
    section: 'Application',
    flags: ['--root-path'],
    type: 'string',
    rule: 'root-path',
    metavar: 'PREFIX',
    default: '',
    env: 'SCRIPT_NAME',
    doc: `The URL path at which the application is mounted.
It becomes \`SCRIPT_NAME\`, and is removed from the beginning of \`PATH_INFO\` if it is there.

Defaults to the environment variable \`SCRIPT_NAME\`, which may also be set with \`raw_env\`, as for
Gunicorn: \`-e SCRIPT_NAME=/shop\`.
It starts with a slash and does not end with one: \`/shop\`.`,
  },
  {
    name: 'strict',
    section: 'Application',
    flags: ['--strict'],
    type: 'boolean',
    default: false,
    doc: `Enforce PEP 3333 to the letter: if the application breaks a rule, the request fails with
status 500.

By default, the server accepts what other servers accept, as long as the meaning is clear and no
byte could split or forge a response.
The log reports each such rule once:

| the application | the server |
|---|---|
| sets \`Connection\`, \`Keep-Alive\`, \`Transfer-Encoding\`, \`Upgrade\` or another hop-by-hop header | drops it; the server and the client decide whether the connection stays open and how the body is framed |
| passes headers as a tuple, \`dict.items()\`, a generator or another iterable | accepts them |
| passes a header as a list | treats it as a pair |
| yields blocks that are a \`bytearray\` or another buffer of bytes (TypeScript: \`ArrayBuffer\`, \`DataView\`) | sends their bytes |
| returns bytes instead of an iterable of them (Python) | sends them |
| passes a status without a reason (\`204\`), or with white space around it | sends an empty reason; trims the status |
| repeats \`Content-Length\` with the same number, or puts white space around it | sends it once; trims it |

Everything else is refused in both modes: line ends and other control characters, names that are not
tokens, invalid status codes, contradictory lengths.
The middleware \`validator\` is always strict.`,
  },
] as const satisfies readonly SettingDefinition[]

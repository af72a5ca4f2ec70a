import type { SettingDefinition } from '../definition.ts'

/** Files that the server sends by itself. */
export const staticFileSettings = [
  {
    name: 'static',
    section: 'Static files',
    flags: ['--static'],
    type: 'folder-mapping',
    rule: 'url-folders',
    metavar: 'PATH=FOLDER',
    default: {},
    doc: `Serve the files of a folder below a path, without the application: \`/static=./static\`.
May be given several times.

The longest path that fits a request counts.
Only GET and HEAD of a file are answered; all other requests go to the application.
Hidden files, links out of the folder, and paths with \`..\` are never served.
Paths are those that the application sees: without \`root_path\`, and decoded.
See the [guide](../guides/static-files.md).`,
  },
  {
    name: 'spa',
    section: 'Static files',
    flags: ['--spa'],
    type: 'boolean',
    default: false,
    doc: `For single-page applications: pages that neither a file nor the application has are
answered with the \`index.html\` of the folder of \`static\`.

That is a GET or HEAD whose \`Accept\` names \`text/html\`, for a path whose last segment has no dot,
which the application has answered with 404.`,
  },
  {
    name: 'static_cache_control',
    section: 'Static files',
    flags: ['--static-cache-control'],
    offFlag: '--no-static-cache-control',
    type: 'string',
    rule: 'header-text',
    nullable: true,
    metavar: 'TEXT',
    default: 'no-cache',
    doc: `The value of \`Cache-Control\` for files of \`static\`; \`--no-static-cache-control\`
(\`null\` in a config file) omits it.

With the default, browsers keep a copy and ask each time whether it is current, which costs an
answer without a body.`,
  },
  {
    name: 'static_immutable',
    section: 'Static files',
    flags: ['--static-immutable'],
    offFlag: '--no-static-immutable',
    type: 'string',
    rule: 'immutable-names',
    nullable: true,
    metavar: 'PATTERN',
    default: 'auto',
    doc: `Which files of \`static\` have names that change with their content: browsers may use them
for a year without asking (\`public, max-age=31536000, immutable\`).

With \`auto\`, names with a hash as Vite, webpack, esbuild, Parcel and Django's
\`ManifestStaticFilesStorage\` make them (\`app.55e7cbb9ba48.css\`, \`assets/index-B4x9kZ2q.js\`).
Any other value is a regular expression of JavaScript for the path below the folder, which begins
with a slash.
\`--no-static-immutable\` (\`null\` in a config file) is for none.`,
  },
  {
    name: 'static_cache',
    section: 'Static files',
    flags: ['--static-cache'],
    type: 'bytes',
    metavar: 'BYTES',
    default: '32M',
    doc: `The memory for the contents of small files that are asked for often, of \`static\`,
\`sendfile_root\` and \`accel_redirect\` together; shared out among the acceptors.

A changed file is noticed within a second.
With 0, each request reads its file.`,
  },
  {
    name: 'sendfile_root',
    section: 'Static files',
    flags: ['--sendfile-root'],
    type: 'paths',
    rule: 'existing-folders',
    metavar: 'FOLDER',
    default: [],
    doc: `Folders of files that the application may have sent with the response header
\`X-Sendfile: /PATH/OF/FILE\`.
May be given several times.

The server sends the file instead of the body, and the worker is free at once.
A path outside of these folders is answered with 500.
Without this setting, the header is like any other, and reaches the client.`,
  },
  {
    name: 'accel_redirect',
    section: 'Static files',
    flags: ['--accel-redirect'],
    type: 'folder-mapping',
    rule: 'url-folders',
    metavar: 'PATH=FOLDER',
    default: {},
    doc: `Paths that the application may name in the response header \`X-Accel-Redirect\`, with the
folders of their files: with \`/protected=/srv/files\`, \`/protected/a.pdf\` is \`/srv/files/a.pdf\`.
May be given several times.

As with nginx, the path is percent-encoded.
Clients cannot ask for these paths.
Without this setting, the header is like any other, and reaches the client.`,
  },
] as const satisfies readonly SettingDefinition[]

import type { SettingDefinition } from '../definition.ts'

/** What helps while an application is being developed. Nothing of it runs unless asked for. */
export const developmentSettings = [
  {
    name: 'reload',
    section: 'Development',
    flags: ['--reload'],
    type: 'boolean',
    default: false,
    doc: `Reload the application when one of its files changes; for development.

The server watches the modules that the application has loaded, the folders that it is in (for
templates, static files and new modules), the config file, and \`reload_extra_files\`.
The new application serves before the old one leaves.
While it cannot be loaded, requests are answered with its error, and with nothing of the old
application; see \`reload_clients\`.
See the [guide](../guides/developing.md).`,
  },
  {
    name: 'reload_engine',
    section: 'Development',
    flags: ['--reload-engine'],
    type: 'choice',
    choices: ['auto', 'poll', 'inotify'],
    metavar: 'NAME',
    default: 'auto',
    doc: `How \`reload\` notices changes: \`inotify\`, \`poll\`, or \`auto\`.

With \`inotify\` the system reports changes; \`poll\` looks at each file four times a second.
\`auto\` uses the system, and polls if the system has no watches left.
Poll where files change without a report: on network file systems and in some virtual machines.`,
  },
  {
    name: 'reload_extra_files',
    section: 'Development',
    flags: ['--reload-extra-file'],
    type: 'strings',
    metavar: 'FILE',
    default: [],
    doc: `Another file whose change reloads the application; repeatable.

Names may have wildcards: \`*\` and \`?\` match within a name, \`**\` matches any number of folders,
and \`[abc]\` matches one of these characters.
Files that appear later are noticed too.
Relative paths start from \`chdir\`.`,
  },
  {
    name: 'reload_browser',
    section: 'Development',
    flags: ['--reload-browser'],
    type: 'boolean',
    default: false,
    doc: `Refresh the pages that are open in browsers when the application was reloaded, or when a
static file has changed. It implies \`reload\`.

The server adds one script to the HTML pages that it sends to \`reload_clients\`.`,
  },
  {
    name: 'reload_clients',
    section: 'Development',
    flags: ['--reload-clients'],
    type: 'strings',
    rule: 'networks',
    metavar: 'NETWORKS',
    default: ['127.0.0.0/8', '::1'],
    doc: `Addresses and networks of the clients that see the error page of \`reload\`, and whose
browsers \`reload_browser\` refreshes; \`*\` means all.

An error shows paths and source code, so the default is this machine.
Other clients get an answer without it.
A request that came through a proxy, or that names a host of the public Internet, counts as one of
another client, unless this setting is \`*\`.`,
  },
] as const satisfies readonly SettingDefinition[]

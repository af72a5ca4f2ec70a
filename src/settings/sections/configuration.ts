import type { SettingDefinition } from '../definition.ts'

/** The config file, and flags that print something and exit. */
export const configurationSettings = [
  {
    name: 'config',
    section: 'Configuration',
    flags: ['-c', '--config'],
    type: 'string',
    metavar: 'FILE',
    nullable: true,
    default: null,
    commandLineOnly: true,
    doc: `The config file: Gunicorn's Python file (\`PATH\`, \`file:PATH\` or \`python:MODULE\`), or an
object of settings in a \`.json\`, \`.js\`, \`.mjs\`, \`.ts\` or \`.mts\` file.

Defaults to \`monoceros.config.ts\`, \`.mts\`, \`.js\`, \`.mjs\` or \`.json\` in the current
folder, or else \`gunicorn.conf.py\` there.`,
  },
  {
    name: 'print_config',
    section: 'Configuration',
    flags: ['--print-config'],
    type: 'boolean',
    default: false,
    command: true,
    doc: `Print all settings that result from all sources, as a JSON config file, and exit.

Hooks are left out, because JSON cannot hold functions; a note names them.`,
  },
  {
    name: 'check_config',
    section: 'Configuration',
    flags: ['--check-config'],
    type: 'boolean',
    default: false,
    command: true,
    doc: `Check the configuration, load the application, and exit: with status 0 if both work, 2 for
a mistake in the settings, 3 if the application cannot be loaded.`,
  },
  {
    name: 'version',
    section: 'Configuration',
    flags: ['-v', '--version'],
    type: 'boolean',
    default: false,
    command: true,
    doc: `Print the version and exit.`,
  },
  {
    name: 'help',
    section: 'Configuration',
    flags: ['-h', '--help'],
    type: 'boolean',
    default: false,
    command: true,
    doc: `Print a summary of all flags and exit.`,
  },
] as const satisfies readonly SettingDefinition[]

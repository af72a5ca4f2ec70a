import type { SettingDefinition } from '../definition.ts'

/** Where settings come from, and commands that only tell something. */
export const configurationSettings = [
  {
    name: 'config',
    section: 'Configuration',
    flags: ['-c', '--config'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    commandLineOnly: true,
    doc: `A config file: \`.json\`, or \`.js\`/\`.mjs\` whose default export is an object; its keys are names of settings.

When not set, \`monoceros.config.js\`, \`.mjs\` or \`.json\` in the current folder, where there is one.`,
  },
  {
    name: 'print_config',
    section: 'Configuration',
    flags: ['--print-config'],
    type: 'boolean',
    default: false,
    command: true,
    doc: `Print every setting as it results from all sources, as a JSON config file, and exit.`,
  },
  {
    name: 'check_config',
    section: 'Configuration',
    flags: ['--check-config'],
    type: 'boolean',
    default: false,
    command: true,
    doc: `Check the settings and exit: status 0 when they are good, 2 when not. The application is not loaded.`,
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

import type { SettingDefinition } from '../definition.ts'

/** Headers that the server adds. */
export const responseSettings = [
  {
    name: 'server_header',
    section: 'Responses and proxies',
    flags: ['--server-header'],
    offFlag: '--no-server-header',
    type: 'string',
    rule: 'header-text',
    nullable: true,
    metavar: 'TEXT',
    default: 'monoceros',
    doc: `The value of the \`Server\` header of responses; \`--no-server-header\` (\`null\` in a
config file) omits it.

The default does not include a version.
A \`Server\` header that the application sets is kept.`,
  },
] as const satisfies readonly SettingDefinition[]

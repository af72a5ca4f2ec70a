/**
 * The page `docs/reference/settings.md`, from the table. `npm run build && node
 * scripts/generate-docs.mjs` writes it.
 */
import { defaultConfigFiles } from './config-file.ts'
import { type SettingDefinition, sectionNames } from './definition.ts'
import { type GunicornSetting, gunicornSettings } from './gunicorn-settings.ts'
import { settingsTable } from './table.ts'
import { expectation } from './value.ts'

const table: readonly SettingDefinition[] = settingsTable

/** The whole page, in Markdown. */
export function renderReference(): string {
  const files = defaultConfigFiles.map((name) => `\`${name}\``).join(', ')
  const parts = [
    `# Settings

<!-- Generated from src/settings by scripts/generate-docs.mjs; change it there. -->

Each setting has one name, which is Gunicorn's wherever it means what it means there. It can come from several places; where
they disagree, the later of these counts:

1. its default;
2. an environment variable, for the few settings that name one below (an empty variable counts as not set);
3. the config file: the one that \`--config\` names, or the first of ${files} in the current folder;
4. the environment variable \`MONOCEROS_CMD_ARGS\`, which holds flags as a shell would take them: \`MONOCEROS_CMD_ARGS="--workers 2 -e 'A=b c'"\`;
5. the command line.

A list or mapping that a later place sets replaces the earlier one. \`--print-config\` prints what results.

A config file is an object with names of settings as keys, in JSON:

\`\`\`json
{ "wsgi_app": "mysite.wsgi:application", "bind": ["127.0.0.1:8000", "unix:/run/mysite.sock"], "workers": 4, "limit_request_body": "20M" }
\`\`\`

or in JavaScript, run when the server starts and again on HUP:

\`\`\`js
import { availableParallelism } from 'node:os'

export default { workers: availableParallelism(), access_logfile: '-' }
\`\`\`

Keys may also be written in camelCase. Sizes are bytes, with an optional \`k\`, \`M\` or \`G\` (powers of 1024). Relative paths start from the folder in which the
command runs, except where it says otherwise.`,
  ]
  for (const section of sectionNames) {
    parts.push(`## ${section}`)
    for (const setting of table.filter((candidate) => candidate.section === section))
      parts.push(describe(setting))
  }
  parts.push(
    `## Gunicorn settings that are not here

A command line written for Gunicorn mostly works as it is. These settings are accepted and do nothing, with a note when the server starts:

${gunicornRows((setting) => setting.ignored !== false, true)}

These are refused (in a config file: unless they are off), with this advice:

${gunicornRows((setting) => setting.ignored !== true, false)}`,
  )
  return `${parts.join('\n\n')}\n`
}

function describe(setting: SettingDefinition): string {
  const facts = [
    [
      'Flags',
      [...setting.flags, ...(setting.offFlag === undefined ? [] : [setting.offFlag])]
        .map(code)
        .join(', '),
    ],
    ['Takes', setting.type === 'boolean' ? '' : takes(setting)],
    ['Default', setting.command ? '' : defaultOf(setting)],
    ['Environment', setting.env === undefined ? '' : code(`$${setting.env}`)],
    [
      'Gunicorn calls it',
      setting.gunicornName === undefined
        ? ''
        : `${code(setting.gunicornName)} (accepted in a config file)`,
    ],
  ] as const
  const rows = facts
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `| ${name} | ${value} |`)
  return `### ${setting.name}\n\n${setting.doc}\n\n| | |\n|---|---|\n${rows.join('\n')}`
}

function takes(setting: SettingDefinition): string {
  const words =
    setting.type === 'choice'
      ? setting.choices!.map(code).join(', ')
      : expectation(setting).replaceAll('KEY=VALUE', '`KEY=VALUE`')
  return setting.nullable ? `${words}; \`null\` for none` : words
}

function defaultOf(setting: SettingDefinition): string {
  if (setting.default === null) return 'not set'
  if (setting.name === 'chdir') return 'the folder in which the command runs'
  const text =
    typeof setting.default === 'string' ? setting.default : JSON.stringify(setting.default)
  return text === '' ? 'none' : code(text)
}

/** One row for all settings with the same advice. */
function gunicornRows(wanted: (setting: GunicornSetting) => boolean, ignored: boolean): string {
  const rows = new Map<string, string[]>()
  for (const setting of gunicornSettings.filter(wanted)) {
    const values = typeof setting.ignored === 'boolean' ? '' : valuesText(setting.ignored, ignored)
    const flags = setting.flags.length === 0 ? '' : ` (${setting.flags.map(code).join(', ')})`
    const advice = ignored ? (setting.adviceIgnored ?? setting.advice) : setting.advice
    rows.set(advice, [...(rows.get(advice) ?? []), `${code(setting.name)}${flags}${values}`])
  }
  const lines = [...rows].map(([advice, settings]) => `| ${settings.join(', ')} | ${advice} |`)
  return `| settings | why |\n|---|---|\n${lines.join('\n')}`
}

function valuesText(values: readonly string[], ignored: boolean): string {
  return ignored ? `: ${values.map(code).join(', ')}` : ': anything else'
}

function code(text: string): string {
  return `\`${text}\``
}

/**
 * The page `docs/reference/settings.md`, made from the settings table. `npm run docs` writes it.
 */
import { DEFAULT_CONFIG_FILES } from './config-file-names.ts'
import { SECTION_NAMES, type SettingDefinition } from './definition.ts'
import { sentencePerLine } from './prose.ts'
import { settingsTable } from './table.ts'
import { expectation } from './value.ts'

const table: readonly SettingDefinition[] = settingsTable

/** The whole page, in Markdown. */
export function renderReference(): string {
  const parts = [introduction()]
  for (const section of SECTION_NAMES) {
    parts.push(`## ${section}`)
    for (const setting of table.filter((candidate) => candidate.section === section))
      parts.push(describe(setting))
  }
  parts.push(gunicornPart())
  return `${parts.join('\n\n')}\n`
}

function introduction(): string {
  const files = DEFAULT_CONFIG_FILES.map((name) => `\`${name}\``).join(', ')
  const commandVariable =
    'the environment variable `MONOCEROS_CMD_ARGS`, which holds flags as a shell reads them: ' +
    '`MONOCEROS_CMD_ARGS="--workers 2 -e \'A=b c\'"`'
  return `# Settings

<!-- Generated from src/settings by scripts/generate-docs.mjs; change it there. -->

Each setting has one name.
It is Gunicorn's name if the meaning is the same.
A setting can come from several places, and later ones override earlier ones:

1. its default;
2. an environment variable, if the setting names one below (an empty variable counts as not set);
3. the config file: the one that \`--config\` names, or the first of ${files} in the current folder;
4. \`GUNICORN_CMD_ARGS\`, then ${commandVariable};
5. the command line.

A list or mapping replaces the earlier one as a whole.
\`--print-config\` prints the result.

A config file is an object whose keys are names of settings, in JSON:

\`\`\`json
{
  "wsgi_app": "mysite.wsgi:application",
  "bind": ["127.0.0.1:8000", "unix:/run/mysite.sock"],
  "workers": 4,
  "limit_request_body": "20M"
}
\`\`\`

or the default export of a TypeScript or JavaScript file.
It runs when the server starts, and again on HUP:

\`\`\`ts
import { defineConfig } from 'monoceros'
import { availableParallelism } from 'node:os'

export default defineConfig({ workers: availableParallelism(), accessLogfile: '-' })
\`\`\`

Keys are written in camelCase or as here.
Gunicorn's \`gunicorn.conf.py\` [is read as well](../guides/from-gunicorn.md#the-configuration).
Sizes are in bytes, with an optional \`k\`, \`M\` or \`G\` (powers of 1024).
Relative paths start from \`chdir\`, which is the folder in which the command runs unless it is set.`
}

function gunicornPart(): string {
  return `## Gunicorn settings

[Coming from Gunicorn](../guides/from-gunicorn.md#settings) lists every setting of Gunicorn.`
}

function describe(setting: SettingDefinition): string {
  const facts = [
    [
      'Flags',
      [...setting.flags, ...(setting.offFlag === undefined ? [] : [setting.offFlag])]
        .map(code)
        .join(', '),
    ],
    ['Value', setting.type === 'boolean' ? '' : accepted(setting)],
    ['Default', setting.command ? '' : defaultOf(setting)],
    ['Environment', setting.env === undefined ? '' : code(`$${setting.env}`)],
    [
      "Gunicorn's name",
      setting.gunicornName === undefined
        ? ''
        : `${code(setting.gunicornName)} (accepted in a config file)`,
    ],
  ] as const
  const rows = facts
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `| ${name} | ${value} |`)
  const text = sentencePerLine(setting.doc)
  return `### ${setting.name}\n\n${text}\n\n| | |\n|---|---|\n${rows.join('\n')}`
}

function accepted(setting: SettingDefinition): string {
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

function code(text: string): string {
  return `\`${text}\``
}

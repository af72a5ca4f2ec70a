import { coded } from '../../messages/coded.ts'
import { ApplicationLoadError } from '../application-load-error.ts'

/** A reference to an application: a file, and which of its exports. */
export interface ApplicationReference {
  /** As in the reference: `./app.ts`. */
  readonly file: string
  /** Names, beginning in the module: `['site', 'app']` for `site.app`; empty for the default. */
  readonly path: readonly string[]
  /** The arguments for a factory; null if the last name is the application itself. */
  readonly args: readonly unknown[] | null
}

const FILE = /^((?:file:\/\/)?[^:]*\.[cm]?[jt]s)(?::([\s\S]*))?$/
const EXPRESSION = /^([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)\s*(?:\(([\s\S]*)\))?$/

/**
 * Reads `FILE`, `FILE:NAME`, `FILE:NAME.NAME` or `FILE:FACTORY(ARGUMENTS)`, where the arguments are
 * JSON.
 *
 * @throws ApplicationLoadError
 * @example parseReference('./app.ts:create("production")')
 * // { file: './app.ts', path: ['create'], args: ['production'] }
 */
export function parseReference(reference: string): ApplicationReference {
  const [, file, expression] = FILE.exec(reference) ?? []
  if (/\.[jt]sx(:|$)/.test(reference)) {
    throw new ApplicationLoadError(
      coded(
        'MONO2014',
        `${reference}: JSX has to be compiled first; name the compiled .js file, ` +
          'or a .ts file without JSX',
      ),
    )
  }
  if (file === undefined) {
    throw new ApplicationLoadError(
      coded(
        'MONO2014',
        `${reference} is not an application in a TypeScript or JavaScript file: ` +
          'expected FILE or FILE:NAME, such as ./app.ts:app',
      ),
    )
  }
  if (expression === undefined) return { file, path: [], args: null }
  const [, names, args] = EXPRESSION.exec(expression.trim()) ?? []
  if (names === undefined) {
    throw new ApplicationLoadError(
      coded(
        'MONO2014',
        `${reference}: expected a name after the colon, or a call of a factory, ` +
          `such as app or create("production"), not ${JSON.stringify(expression)}`,
      ),
    )
  }
  return {
    file,
    path: names.split('.'),
    args: args === undefined ? null : parseArguments(reference, args),
  }
}

function parseArguments(reference: string, text: string): unknown[] {
  try {
    // Single quotes too, as in JavaScript and Python; they are easier to write in a shell.
    const json = text.replace(/'((?:[^'\\"]|\\.)*)'/g, '"$1"').replace(/,\s*$/, '')
    return JSON.parse(`[${json}]`) as unknown[]
  } catch {
    throw new ApplicationLoadError(
      coded(
        'MONO2014',
        `${reference}: the arguments of a factory must be literals, ` +
          `such as "production", 3, true or {"debug": false}, not ${text}`,
      ),
    )
  }
}

import type { Probe } from './probe.ts'

/** The sections of PEP 3333 that lay something on a server, in the order of the PEP. */
export const sections = [
  'Specification Overview',
  'Specification Details',
  'environ Variables',
  'Input and Error Streams',
  'The start_response() Callable',
  'Handling the Content-Length Header',
  'Buffering and Streaming',
  'The write() Callable',
  'Unicode Issues',
  'Error Handling',
  'HTTP 1.1 Expect/Continue',
  'Other HTTP Features',
  'Thread Support',
  'Application Configuration',
  'URL Reconstruction',
  'Optional Platform-Specific File Handling',
] as const

export type Section = (typeof sections)[number]

/** How both servers are started for a case. Those of one variant share one server process. */
export interface Variant {
  readonly name: string
  readonly app: string
  /** Our arguments. */
  readonly args: readonly string[]
  /** The arguments and environment that ask the same of gunicorn. */
  readonly gunicornArgs: readonly string[]
  readonly gunicornEnv?: Readonly<Record<string, string>>
  /**
   * Our arguments when the same application runs in the embedded interpreter; variants with the
   * same ones share a server.
   */
  readonly embeddedArgs: readonly string[]
  /** The same applications in TypeScript. */
  readonly typescript: TypeScriptServer
}

/** What takes the place of a variant when it runs the applications in TypeScript. */
export interface TypeScriptServer {
  readonly app: string
  readonly args: readonly string[]
}

/** Where gunicorn does something else than we do. */
export interface Difference {
  /** What is seen of gunicorn; the suite checks it like our own. */
  readonly sees: string
  /**
   * What we are beside it: `stricter` (we refuse what it lets through), `laxer` (the other way
   * round), `conforms` (we do what the PEP asks and it does not), `choice` (the PEP allows both).
   */
  readonly weAre: 'stricter' | 'laxer' | 'conforms' | 'choice'
  readonly why: string
}

/**
 * Where an application on the embedded Python sees, or is seen to do, something else than on the
 * system's.
 */
export interface EmbeddedDifference {
  /** What is seen instead; the suite checks it like the rest. */
  readonly sees: string
  /** What it is that WebAssembly does not have. */
  readonly because: 'threads' | 'processes' | 'sockets'
  readonly why: string
  /** Puts the server to it in the place of the case's own `run`. */
  readonly run?: (probe: Probe) => Promise<string>
}

/** Where an application in TypeScript sees, or is seen to do, something else than one in Python. */
export interface TypeScriptDifference {
  /** What is seen instead; the suite checks it like the rest. */
  readonly sees: string
  /**
   * `words`: the rule holds, what is seen has another name; `language`: what the case is about does
   * not exist in TypeScript, or is another thing there; `choice`: the PEP allows both.
   */
  readonly because: 'words' | 'language' | 'choice'
  readonly why: string
  /** Puts the server to it in the place of the case's own `run`. */
  readonly run?: (probe: Probe) => Promise<string>
}

/**
 * One row of the table: a sentence of PEP 3333 that a server can break, and what is seen when it is
 * put to it.
 */
export interface PepCase {
  /** Unique, in kebab case. */
  readonly id: string
  readonly section: Section
  /** Whether the PEP says must, should or may. */
  readonly level: 'must' | 'should' | 'may'
  /** The sentence in our own words. */
  readonly rule: string
  /** How the server is started; `plain` when left out. */
  readonly on?: Variant
  /**
   * Puts the server to it and says in one line what was seen. The same code runs against every
   * server.
   */
  readonly run: (probe: Probe) => Promise<string>
  /** What has to be seen of ours. */
  readonly expect: string
  /** Left out where gunicorn does the same. */
  readonly gunicorn?: Difference
  /** Left out where the same application in the embedded interpreter does the same. */
  readonly embedded?: EmbeddedDifference
  /** Left out where an application in TypeScript sees the same. */
  readonly typescript?: TypeScriptDifference
}

const dispatcher = 'conformance:application'

/**
 * Most cases: an application in TypeScript is run by one thread, and streams its requests' bodies,
 * whatever the flags.
 */
const typescript: TypeScriptServer = {
  app: './typescript/conformance.ts:application',
  args: ['--workers', '1'],
}

/** Most cases: it has no threads, so what is asked of several is asked of one. */
const embeddedArgs = ['--runtime', 'pyodide', '--workers', '1']

/** One worker, one thread: most cases. */
export const plain: Variant = {
  name: 'plain',
  app: dispatcher,
  args: ['--workers', '1'],
  gunicornArgs: ['--workers', '1'],
  embeddedArgs,
  typescript,
}

/** Rules that nobody suffers from when they are broken are held to all the same. */
export const strict: Variant = {
  name: 'strict',
  app: dispatcher,
  args: ['--workers', '1', '--strict'],
  // Gunicorn has one way only.
  gunicornArgs: ['--workers', '1'],
  embeddedArgs: [...embeddedArgs, '--strict'],
  typescript: { app: typescript.app, args: [...typescript.args, '--strict'] },
}

/** A case that `strict` decides: what is seen with it, and what without. */
export function unlessStrict(
  row: PepCase,
  lenient: Pick<PepCase, 'rule' | 'expect'> & Partial<Pick<PepCase, 'gunicorn' | 'typescript'>>,
): PepCase[] {
  const { gunicorn: _, typescript: __, ...common } = row
  return [
    { ...row, on: strict },
    { ...common, ...lenient, id: `${row.id}-lenient`, level: 'may' },
  ]
}

/**
 * Several threads; with them gunicorn keeps connections alive, which its default worker never does.
 */
export const threads: Variant = {
  name: 'threads',
  app: dispatcher,
  args: ['--workers', '1', '--threads', '4'],
  gunicornArgs: ['--workers', '1', '--threads', '4'],
  embeddedArgs,
  typescript,
}

/** Request bodies reach the application as they arrive, not when they are complete. */
export const unbuffered: Variant = {
  name: 'unbuffered',
  app: dispatcher,
  args: ['--workers', '1', '--no-request-buffering'],
  // Gunicorn never does anything else.
  gunicornArgs: ['--workers', '1', '--threads', '4'],
  embeddedArgs: [...embeddedArgs, '--no-request-buffering'],
  typescript,
}

/**
 * Two workers, an application that is not at the root of the server, and a variable from the
 * deployer.
 */
export const site: Variant = {
  name: 'site',
  app: dispatcher,
  args: ['--workers', '2', '--root-path', '/site', '--env', 'PEP3333_DEPLOYER=yes'],
  gunicornArgs: ['--workers', '2', '--env', 'PEP3333_DEPLOYER=yes'],
  gunicornEnv: { SCRIPT_NAME: '/site' },
  embeddedArgs: [
    ...['--runtime', 'pyodide', '--workers', '2', '--root-path', '/site'],
    ...['--env', 'PEP3333_DEPLOYER=yes'],
  ],
  typescript: {
    app: typescript.app,
    args: ['--workers', '2', '--root-path', '/site', '--env', 'PEP3333_DEPLOYER=yes'],
  },
}

/** A server of its own for one application, in Python and in TypeScript. */
export function serving(app: string, inTypeScript: string): Variant {
  return {
    name: app,
    app,
    args: ['--workers', '1'],
    // Preloading makes gunicorn fail at its start when it cannot load the application, as we do.
    gunicornArgs: ['--workers', '1', '--preload'],
    embeddedArgs,
    typescript: { app: `./typescript/${inTypeScript}`, args: ['--workers', '1'] },
  }
}

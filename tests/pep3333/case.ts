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
}

/** Where gunicorn does something else than we do. */
export interface Difference {
  /** What is seen of gunicorn; the suite checks it like our own. */
  readonly sees: string
  /**
   * What we are beside it: `stricter` (we refuse what it lets through), `laxer` (the other way round),
   * `conforms` (we do what the PEP asks and it does not), `choice` (the PEP allows both).
   */
  readonly weAre: 'stricter' | 'laxer' | 'conforms' | 'choice'
  readonly why: string
}

/** One row of the table: a sentence of PEP 3333 that a server can break, and what is seen when it is put to it. */
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
  /** Puts the server to it and says in one line what was seen. The same code runs against every server. */
  readonly run: (probe: Probe) => Promise<string>
  /** What has to be seen of ours. */
  readonly expect: string
  /** Left out where gunicorn does the same. */
  readonly gunicorn?: Difference
}

const dispatcher = 'conformance:application'

/** One worker, one thread: most cases. */
export const plain: Variant = {
  name: 'plain',
  app: dispatcher,
  args: ['--workers', '1'],
  gunicornArgs: ['--workers', '1'],
}

/** Several threads; with them gunicorn keeps connections alive, which its default worker never does. */
export const threads: Variant = {
  name: 'threads',
  app: dispatcher,
  args: ['--workers', '1', '--threads', '4'],
  gunicornArgs: ['--workers', '1', '--threads', '4'],
}

/** Request bodies reach the application as they arrive, not when they are complete. */
export const unbuffered: Variant = {
  name: 'unbuffered',
  app: dispatcher,
  args: ['--workers', '1', '--no-request-buffering'],
  // Gunicorn never does anything else.
  gunicornArgs: ['--workers', '1', '--threads', '4'],
}

/** Two workers, an application that is not at the root of the server, and a variable from the deployer. */
export const site: Variant = {
  name: 'site',
  app: dispatcher,
  args: ['--workers', '2', '--root-path', '/site', '--env', 'PEP3333_DEPLOYER=yes'],
  gunicornArgs: ['--workers', '2', '--env', 'PEP3333_DEPLOYER=yes'],
  gunicornEnv: { SCRIPT_NAME: '/site' },
}

/** A server of its own for one application object. */
export function serving(app: string): Variant {
  // Preloading makes gunicorn fail at its start when it cannot load the application, as we do.
  return { name: app, app, args: ['--workers', '1'], gunicornArgs: ['--workers', '1', '--preload'] }
}

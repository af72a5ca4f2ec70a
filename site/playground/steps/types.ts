/** The two languages of the tutorial. */
export type Language = 'python' | 'typescript'

/** A value for each language. */
export type Both<T> = { readonly [L in Language]: T }

/** A request as the reader writes it in the HTTP client. */
export interface RequestText {
  readonly method: string
  /** The target: `/Ada?lang=en` */
  readonly path: string
  /** One header a line: `Accept: text/html` */
  readonly headers?: string
  readonly body?: string
}

/** What a check expects of the answer to its request. What is not given is not looked at. */
export interface Expected {
  readonly status?: number
  /** The whole body. */
  readonly body?: string
  /** Header names in lower case; null: there must be none; a text: it must be the value. */
  readonly headers?: Readonly<Record<string, string | null>>
  /** Variables of the environ; null: there must be none of that name. */
  readonly environ?: Readonly<Record<string, string | null>>
  /** `command` only: settings as the command line gives them. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** False: the response must break off. Otherwise it must not. */
  readonly complete?: boolean
  /** False: the log may have errors. It may as well if `log` is given, or the status is 500. */
  readonly quiet?: boolean
  /** What the log must contain. */
  readonly log?: string
}

/** One thing that the reader's code must do. */
export interface Check {
  /** What is checked, for the list: `the query ?loud makes it upper case` */
  readonly title: string
  /** One request; or several, of which the last one's answer is looked at. */
  readonly requests: readonly RequestText[]
  readonly expect: Expected
  /** What is missing, in one sentence: it is shown if the answer differs. */
  readonly hint: string
  /**
   * What is run instead of the step's own file: a module beside the reader's, which imports it. It
   * is called `probe`.
   */
  readonly probe?: Both<string>
}

/** How a step is run. */
export type StepKind =
  /** A module has an application; the gateway calls it. */
  | 'application'
  /** A program opens a socket. Each file in `mains` is one. */
  | 'server'
  /** A command line starts the server. */
  | 'command'

/** One step of the tutorial, as data. */
export interface Step {
  readonly number: number
  readonly kind: StepKind
  /** The files in the editor, the main one first. Their texts are those of the tutorial. */
  readonly files: Both<readonly string[]>
  /** `server` only: the files that can be run. */
  readonly mains?: Both<readonly string[]>
  /** `command` only: the command line of the tutorial. */
  readonly command?: Both<string>
  /** The requests of the tutorial, which the client offers; the first one is filled in. */
  readonly requests: readonly RequestText[]
  /** What the task of the tutorial's page asks for. */
  readonly checks: readonly Check[]
}

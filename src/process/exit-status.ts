/**
 * The exit statuses of every program of Monoceros, in one table.
 *
 * Code refers to a status as `EXIT.server.FAILED`. The page `docs/reference/exit-status.md` is
 * generated from this table, and a test compares it with the constants of Python's workers
 * (`python/monoceros/exit_status.py`).
 */

/** A status and what it means; the text is for the reference page. */
type Row = readonly [status: number, meaning: string]

const TABLE = {
  /** `monoceros APP`: the command and the arbiter, which run in the same process. */
  server: {
    STOPPED: [0, 'The server was stopped, or the command printed what it was asked for.'],
    FAILED: [
      1,
      'The server could not start: an address, a log file, the pid file or an interpreter ' +
        'is not available, or it was started on Bun or Deno.',
    ],
    USAGE: [2, 'A flag, an environment variable or the config file has a mistake.'],
    NOT_LOADED: [3, 'The application could not be loaded, or took longer than `load_timeout`.'],
    INTERNAL_ERROR: [70, 'A bug in Monoceros; the log has its stack. Please report it.'],
  },
  /** An acceptor process, which the arbiter starts. */
  acceptor: {
    STOPPED: [0, 'The acceptor was told to leave.'],
    FAILED: [1, 'The acceptor could not start. It has sent the reason to the arbiter.'],
    INTERNAL_ERROR: [70, 'A bug in Monoceros; the log has its stack. Please report it.'],
  },
  /** A worker with a Python application. */
  worker: {
    STOPPED: [0, 'The worker was told to leave.'],
    ACCEPTOR_GONE: [1, 'The acceptor is gone.'],
    NOT_LOADED: [3, 'The application could not be loaded. The acceptor has the reason.'],
    PROTOCOL_ERROR: [4, 'The acceptor sent a frame that the worker cannot read.'],
  },
  /** `monoceros install`. */
  install: {
    DONE: [0, 'The packages are installed, or were there already.'],
    FAILED: [1, 'The installation failed. The message has the reason; nothing has changed.'],
    USAGE: [2, 'The command line has a mistake.'],
    HANGUP: [129, 'SIGHUP interrupted the installation; nothing has changed.'],
    INTERRUPTED: [130, 'SIGINT interrupted the installation; nothing has changed.'],
    TERMINATED: [143, 'SIGTERM interrupted the installation; nothing has changed.'],
  },
  /** `monoceros learn`, until it serves. */
  learn: {
    STOPPED: [0, 'The server was stopped, or the command printed what it was asked for.'],
    FAILED: [1, 'The package of the site could not be downloaded, or the server not started.'],
    USAGE: [2, 'The command line has a mistake, or the package is missing with `--no-install`.'],
    HANGUP: [129, 'SIGHUP interrupted the download.'],
    INTERRUPTED: [130, 'SIGINT (Ctrl-C) interrupted the download.'],
    TERMINATED: [143, 'SIGTERM interrupted the download.'],
  },
  /** `monoceros ctl` and `monoceros top`. */
  ctl: {
    DONE: [0, 'The server has answered, and has done what it was told.'],
    FAILED: [
      1,
      'The server has tried, and failed: a reload, for example. The message has the reason.',
    ],
    USAGE: [2, 'The command line has a mistake.'],
    NO_SERVER: [3, 'No server was found, or several were and none was named.'],
    NO_ANSWER: [4, 'The server does not answer in time: it hangs, or is stopped.'],
    REFUSED: [5, 'The server cannot do that now, or has no such worker.'],
    OTHER_VERSION: [6, 'The server speaks another version of the protocol.'],
  },
  /** `monoceros python`, beside the statuses that the program itself chooses. */
  python: {
    ENDED: [0, 'The program ended without an error.'],
    FAILED: [1, 'The program ended with an uncaught exception.'],
    USAGE: [2, 'The command line has a mistake.'],
    NOT_WRITTEN: [120, 'Standard output could not be written.'],
    INTERRUPTED: [130, 'SIGINT (Ctrl-C) interrupted the program.'],
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Row>>>>

/** A program with exit statuses of its own. */
export type ProgramName = keyof typeof TABLE

type Statuses = {
  readonly [Program in ProgramName]: {
    readonly [Name in keyof (typeof TABLE)[Program]]: (typeof TABLE)[Program][Name] extends readonly [
      infer Status,
      string,
    ]
      ? Status
      : never
  }
}

/**
 * Every exit status, by program and name.
 *
 * @example EXIT.server.NOT_LOADED // 3
 */
export const EXIT = Object.fromEntries(
  Object.entries(TABLE).map(([program, rows]) => [
    program,
    Object.fromEntries(Object.entries(rows).map(([name, [status]]) => [name, status])),
  ]),
) as unknown as Statuses

const TITLES: Readonly<Record<ProgramName, string>> = {
  server: '`monoceros APP`',
  acceptor: 'Acceptor processes',
  worker: 'Python workers',
  install: '`monoceros install`',
  learn: '`monoceros learn`',
  ctl: '`monoceros ctl` and `monoceros top`',
  python: '`monoceros python`',
}

/** The page `docs/reference/exit-status.md`, in Markdown. */
export function renderExitStatuses(): string {
  const sections = Object.entries(TABLE).map(([program, rows]) => {
    const lines = Object.values(rows).map(([status, meaning]) => `| ${status} | ${meaning} |`)
    return [
      `## ${TITLES[program as ProgramName]}`,
      '',
      '| status | meaning |',
      '|---|---|',
      ...lines,
    ].join('\n')
  })
  return `# Exit statuses

<!-- Generated from src/process/exit-status.ts by scripts/generate-docs.mjs; change it there. -->

Acceptors and workers are started by the server itself: their statuses appear in the error log only.
\`monoceros python\` ends with the status that its program chooses; the table lists the others.

${sections.join('\n\n')}
`
}

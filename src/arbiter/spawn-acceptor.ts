/** How the process of an acceptor is started. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { willEmbed, withAllocator } from '../acceptor/allocator.ts'
import { heapOptions } from '../acceptor/heap-options.ts'
import type { DevelopmentStart, StartMessage } from '../acceptor/messages.ts'
import { coded } from '../messages/coded.ts'
import { runtimeOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import { AcceptorFailure } from './acceptor-exit.ts'
import { asUser, type Identity } from './identity.ts'
import type { ListeningSocket } from './listeners.ts'

/** The first descriptor after stdin, stdout, stderr and the IPC channel. */
const FIRST_LISTENER_FD = 4

/** What a new acceptor is given. */
export interface AcceptorJob {
  /** The path of the acceptor's program. */
  readonly program: string
  readonly settings: Settings
  /** Who it runs as, if not as this process. */
  readonly identity: Identity | null
  readonly listeners: readonly ListeningSocket[]
  /** See `StartMessage`. */
  readonly tls: TlsMaterial | null
  /** This acceptor's share of the workers. */
  readonly workers: number
  /** See `StartMessage`. */
  readonly development: DevelopmentStart | null
}

/** A process that was started (or could not be), and what it is to be told first. */
export interface SpawnedAcceptor {
  readonly process: ChildProcess
  readonly start: StartMessage
}

/**
 * Starts an acceptor's process. It leads a process group of its own.
 *
 * @throws AcceptorFailure if its temporary directory cannot be made
 */
export function spawnAcceptor({
  program,
  settings,
  identity,
  listeners,
  tls,
  workers,
  development,
}: AcceptorJob): SpawnedAcceptor {
  const runsApplication = runtimeOf(settings) === 'node'
  const tmpDir = makeTmpDir(settings.tmpUploadDir ?? tmpdir(), identity)
  const { execPath } = process
  const embeds = willEmbed(settings, { ...process.env, ...settings.rawEnv })
  const heap = runsApplication || embeds ? [] : heapOptions(process.env.NODE_OPTIONS, tls !== null)
  const nodeArgs = [...heap, ...inheritedNodeOptions(process.execArgv), program]
  const { file, args, ...as } =
    identity === null ? { file: execPath, args: nodeArgs } : asUser(identity, execPath, nodeArgs)
  const child = spawn(file, [...args], {
    ...as,
    stdio: [
      'ignore',
      'inherit',
      'inherit',
      'ipc',
      ...listeners.map((listener) => listener.fd),
      ...(runsApplication ? (['pipe'] as const) : []),
    ],
    serialization: 'advanced',
    detached: true,
    env: embeds ? withAllocator(process.env) : process.env,
  })
  return {
    process: child,
    start: {
      type: 'start',
      settings,
      listeners: listeners.map(({ address, tls, redirects }, index) => ({
        fd: FIRST_LISTENER_FD + index,
        address,
        tls,
        redirects,
      })),
      tls,
      workers,
      tmpDir,
      stackFd: runsApplication ? FIRST_LISTENER_FD + listeners.length : null,
      development,
    },
  }
}

/** With mode 0700, which mkdtemp(3) sets: request bodies are private. */
function makeTmpDir(parent: string, identity: Identity | null): string {
  try {
    const directory = mkdtempSync(join(parent, 'monoceros-'))
    if (identity !== null) chownSync(directory, identity.uid, identity.gid)
    return directory
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new AcceptorFailure(
      'other',
      coded(
        'MONO3106',
        `Cannot make a temporary directory in ${parent} (${code}). ` +
          'Choose another with --tmp-upload-dir or TMPDIR.',
      ),
    )
  }
}

/** Node's own options of this process that acceptors need too. */
function inheritedNodeOptions(options: readonly string[]): string[] {
  return options.filter((option) =>
    /^--(max-|stack-|no-warnings|trace-|import=|enable-source-maps|cpu-prof|heap-prof)/.test(
      option,
    ),
  )
}

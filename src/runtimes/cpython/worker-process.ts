import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, unlinkSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { ownFile } from '../../own-files/own-files.ts'
import { socketPassing } from '../../transport/node-internals.ts'
import type { WorkerListener, WorkerStarter } from '../workers/worker-handle.ts'
import type { Interpreter } from './interpreter.ts'
import { openLedger, ProcessHandle } from './process-handle.ts'

/** How the processes of a pool are started. */
export interface ProcessOptions {
  readonly interpreter: Interpreter
  readonly environment: Readonly<Record<string, string>>
  /** A folder for the ledger, which has a name there only for a moment. */
  readonly directory: string
  /** Whether clients' sockets may be lent to them. Defaults to false. */
  readonly lending?: boolean
}

/** The same, for workers that are forked. */
export interface PreloadOptions extends ProcessOptions {
  /** A folder that only this user can enter, for the sockets of forked workers. */
  readonly sockets: string
  /** How long a fork may take, in milliseconds. It usually takes one. */
  readonly forkTimeout?: number
}

/** Workers of a pool in processes of an installed Python. */
export function workerProcesses(options: ProcessOptions): WorkerStarter {
  const { lending = false } = options
  return async (listener, { application, chdir, background }) =>
    await spawnPython(options, [application], { chdir, background, listener, lending })
}

/** A name in that folder which nothing else has. */
export function freshPath(directory: string, name: string): string {
  return join(directory, `${name}-${process.pid}-${randomUUID()}`)
}

/**
 * Starts a process of `python/monoceros-worker` with these arguments.
 * @throws Error if it could not be started
 */
export async function spawnPython(
  { interpreter, environment, directory }: ProcessOptions,
  args: readonly string[],
  how: { chdir: string; background: boolean; listener: WorkerListener; lending?: boolean },
): Promise<ProcessHandle> {
  const { chdir, background, listener, lending = false } = how
  const ledgerPath = freshPath(directory, 'ledger')
  const ledger = openLedger(ledgerPath)
  unlinkSync(ledgerPath)
  let child: ChildProcess
  try {
    child = spawn(interpreter.command, [ownFile('python/monoceros-worker'), ...args], {
      cwd: chdir,
      env: { ...process.env, ...environment },
      stdio: [
        'ignore',
        'pipe',
        'pipe',
        'pipe',
        'pipe',
        ledger,
        ...(lending ? ['ipc' as const] : []),
      ],
    })
  } catch (error) {
    closeSync(ledger)
    throw error
  }
  const spawned = new Promise<void>((resolve, reject) => {
    child.on('spawn', resolve)
    // Later errors are about signals that could not be sent.
    child.on('error', reject)
  })
  const { pid } = child
  // If descriptors have run out, there are no channels either.
  if (pid === undefined) {
    closeSync(ledger)
    for (const stream of child.stdio ?? []) (stream as Socket | null)?.destroy?.()
    await spawned
    throw new Error('it has no process id')
  }
  child.on('exit', (code, signal) => listener.exited(exitReason(code, signal)))
  const [, stdout, stderr, data, control] = child.stdio as unknown as Socket[]
  const handle = new ProcessHandle(
    {
      pid,
      data: data!,
      control: control!,
      stdout: stdout!,
      stderr: stderr!,
      ledger,
      forked: false,
      sockets: lending ? socketPassing(child) : null,
      signal: (name) => child.kill(name),
    },
    listener,
  )
  if (background) {
    child.unref()
    child.channel?.unref()
    handle.unref()
  }
  await spawned
  return handle
}

/** @example exitReason(null, 'SIGKILL') // 'killed by SIGKILL' */
export function exitReason(code: number | null, signal: NodeJS.Signals | null): string {
  return signal !== null ? `killed by ${signal}` : `exited with status ${code}`
}

/**
 * Monoceros as process 1, as in a container without an init. Orphans are given to process 1, and
 * Node.js does not wait for processes that it did not start, so they would stay as zombies. So the
 * server becomes a child of a small program that does.
 */
import { type StdioOptions, spawn } from 'node:child_process'
import { accessSync, constants, fstatSync } from 'node:fs'
import { constants as system } from 'node:os'
import type { StartCommand } from '../arbiter/upgrade/start-command.ts'
import { helperArguments, helperPythons } from '../process/helper-python.ts'
import type { TextOutput } from '../process/text-output.ts'

/** What the server understands; anything else would be lost anyway. */
const PASSED_ON = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTTIN',
  'SIGTTOU',
  'SIGWINCH',
] as const
/**
 * Replaces `python/monoceros-init` without a Python. A shell reaps all its orphans while it waits.
 * It cannot tell an upgraded server from other orphans, so it ends with the first one.
 */
const SHELL = '/bin/sh'
const SHELL_INIT = `"$@" &
child=$!
for name in TERM QUIT HUP USR1 USR2 TTIN TTOU WINCH; do
  trap "kill -$name $child" "$name"
done
# A Ctrl-C in the terminal reaches the server anyway.
[ -t 0 ] || trap "kill -INT $child" INT
[ -t 0 ] && trap : INT
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" 2>/dev/null || exit "$status"
done`
/** Commands that end by themselves, and start nothing that outlives them. */
const SHORT = ['install', 'python', '--help', '-h', '--version', '-v', '--check-config']
/** Descriptors that are looked at for sockets that were passed to this process. */
const HIGHEST_SOCKET = 255

/** Whether this process has to be the parent of a server, not the server itself. */
export function isFirstProcess(args: readonly string[], pid: number = process.pid): boolean {
  return pid === 1 && process.platform === 'linux' && !args.some((arg) => SHORT.includes(arg))
}

/**
 * Runs the command of this process again as a child, and reaps orphans meanwhile.
 *
 * @param own the command of this process
 * @returns the child's exit status; null if that is not possible here, because there is no Python
 */
export async function runAsFirstProcess(
  own: StartCommand,
  stderr: TextOutput,
): Promise<number | null> {
  const command = [own.program, ...own.args]
  const python = helperPythons(process.env).find(isExecutable)
  if (python === undefined) {
    if (isExecutable(SHELL)) become(SHELL, ['-c', SHELL_INIT, 'monoceros-init', ...command])
    stderr.write(
      'monoceros: note: this is process 1, and reaping orphaned processes needs Python or ' +
        'Node.js 22.15. If the application starts processes, use docker run --init\n',
    )
    return null
  }
  const args = helperArguments('monoceros-init', ...command)
  const sockets = inheritedSockets()
  // Then there is one process less; but Node.js keeps no descriptors for the new program.
  if (sockets.length === 0) become(python, args)
  const child = spawn(python, args, {
    stdio: ['inherit', 'inherit', 'inherit', ...sockets] as StdioOptions,
  })
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal))
  return await new Promise((resolve) => {
    child.on('error', () => {
      for (const signal of PASSED_ON) process.removeAllListeners(signal)
      resolve(null)
    })
    child.on('exit', (code, signal) => resolve(code ?? 128 + system.signals[signal!]))
  })
}

/** Turns this process into another program, with a Node.js that can do that: since 22.15. */
function become(file: string, args: readonly string[]): void {
  const { execve } = process as unknown as {
    execve?: (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never
  }
  execve?.(file, [file, ...args], process.env)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Sockets from systemd or podman, under the same numbers. Node.js itself has opened none yet. */
function inheritedSockets(): ('ignore' | number)[] {
  const sockets: ('ignore' | number)[] = []
  for (let fd = 3; fd <= HIGHEST_SOCKET; fd++) {
    if (!isSocket(fd)) continue
    while (sockets.length < fd - 3) sockets.push('ignore')
    sockets.push(fd)
  }
  return sockets
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

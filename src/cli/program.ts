/** What the executable does, see `main.ts`. */
import { Socket } from 'node:net'
import { takeInheritance } from '../arbiter/upgrade/inheritance.ts'
import { type StartCommand, startCommand } from '../arbiter/upgrade/start-command.ts'
import type { ConfigHost } from '../config/config-host.ts'
import type { LoadedSettings } from '../config/load-settings.ts'
import { coded } from '../messages/coded.ts'
import { tooFewDescriptors } from '../process/descriptor-limit.ts'
import { EXIT } from '../process/exit-status.ts'
import {
  forgetPythonCommand,
  type PythonCommand,
  readPythonCommand,
} from '../process/python-command.ts'
import { collectStartGarbageLater } from '../process/start-garbage.ts'
import type { TextOutput } from '../process/text-output.ts'
import { runCommand } from './command.ts'
import { becomeDaemon, startDaemon } from './daemon.ts'
import { enterAgain, withRealFolders, workingDirectory } from './working-directory.ts'

/** Runs the command of this process. */
export async function runProgram(): Promise<void> {
  // `monoceros --help | head -1` must not end with a stack trace.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})

  const cwd = workingDirectory(process.env)
  const pythonCommand = readPythonCommand(process.env)

  if (process.pid === 1) {
    const { isFirstProcess, runAsFirstProcess } = await import('./first-process.ts')
    const started = isFirstProcess(process.argv.slice(2))
    const status = started ? await runAsFirstProcess(startCommand(cwd), process.stderr) : null
    if (status !== null) process.exit(status)
  }

  // Before anything else sees the environment or changes it.
  const inheritance = takeInheritance(process.env)
  const daemon = becomeDaemon(process.env)
  const stderr = daemon ?? process.stderr
  // With the variable of the Python package: an upgrade and the daemon are started like this one.
  const command = startCommand(cwd)
  forgetPythonCommand(process.env)
  if (daemon === null && inheritance === null) stopWithProgram(pythonCommand)
  process.exitCode = await runCommand(process.argv.slice(2), {
    env: process.env,
    cwd,
    pythonCommand,
    stdout: process.stdout,
    stderr,
    // The command has shown them before it started the daemon.
    showsNotes: daemon === null,
    checkApplication: async (settings) => {
      const { checkApplication } = await import('../arbiter/check-application.ts')
      return await checkApplication(withRealFolders(settings))
    },
    serve: async (loaded, read) => {
      const tooFew = tooFewDescriptors()
      if (tooFew !== null) {
        await loaded.configHost?.close()
        stderr.write(`monoceros: ${coded('MONO4033', tooFew)}\n`)
        return EXIT.server.FAILED
      }
      if (loaded.settings.daemon && daemon === null && inheritance === null)
        process.exit(await detach(loaded, command, stderr))
      // Imported only here, so that --help and --version answer at once.
      const { runArbiter } = await import('../arbiter/arbiter.ts')
      const readSettings = async (signal: AbortSignal, previous: ConfigHost | null) => {
        enterAgain(cwd)
        return realFolders(await read(signal, previous))
      }
      const serves = () => {
        daemon?.serves()
        collectStartGarbageLater()
      }
      const options = { readSettings, command, inheritance, stderr, serves }
      process.exit(await runArbiter(realFolders(loaded), options))
    },
  })
}

/** A server that `monoceros.run` has started ends with its program. */
function stopWithProgram(started: PythonCommand | null): void {
  if (started === null || started.channel === null) return
  const channel = new Socket({ fd: started.channel, readable: true, writable: false })
  channel.on('error', () => {})
  channel.on('close', () => process.kill(process.pid, 'SIGTERM'))
  channel.resume().unref()
}

/** The daemon reads the settings again. Here, they have only been found to be right. */
async function detach(
  { settings, configHost }: LoadedSettings,
  command: StartCommand,
  stderr: TextOutput,
): Promise<number> {
  await configHost?.close()
  const { enableStdioInheritance } = settings
  if (settings.errorLogfile === '-' && (!enableStdioInheritance || process.stderr.isTTY))
    stderr.write(
      'monoceros: note: A daemon has no terminal, so its error log is lost; give --error-logfile\n',
    )
  return await startDaemon(command, stderr, enableStdioInheritance)
}

function realFolders(loaded: LoadedSettings): LoadedSettings {
  return { ...loaded, settings: withRealFolders(loaded.settings) }
}

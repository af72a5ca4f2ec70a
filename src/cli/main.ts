#!/usr/bin/env node
/** The executable. */
import { takeInheritance } from '../arbiter/upgrade/inheritance.ts'
import { startCommand } from '../arbiter/upgrade/start-command.ts'
import type { ConfigHost } from '../config/config-host.ts'
import type { LoadedSettings } from '../config/load-settings.ts'
import { collectStartGarbageLater } from '../process/start-garbage.ts'
import { runCommand } from './command.ts'
import { becomeDaemon, startDaemon } from './daemon.ts'
import { enterAgain, withRealFolders, workingDirectory } from './working-directory.ts'

// `monoceros --help | head -1` must not end with a stack trace.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

const cwd = workingDirectory(process.env)

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
const command = startCommand(cwd)
process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  cwd,
  stdout: process.stdout,
  stderr,
  // The command has shown them before it started the daemon.
  showsNotes: daemon === null,
  checkApplication: async (settings) => {
    const { checkApplication } = await import('../arbiter/check-application.ts')
    return await checkApplication(withRealFolders(settings))
  },
  serve: async (loaded, read) => {
    if (loaded.settings.daemon && daemon === null && inheritance === null)
      process.exit(await detach(loaded))
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

/** The daemon reads the settings again. Here, they have only been found to be right. */
async function detach({ settings, configHost }: LoadedSettings): Promise<number> {
  await configHost?.close()
  const { enableStdioInheritance } = settings
  if (settings.errorLogfile === '-' && (!enableStdioInheritance || process.stderr.isTTY))
    stderr.write(
      'monoceros: note: A daemon has no terminal, so its error log is lost; ' +
        'give --error-logfile\n',
    )
  return await startDaemon(command, stderr, enableStdioInheritance)
}

function realFolders(loaded: LoadedSettings): LoadedSettings {
  return { ...loaded, settings: withRealFolders(loaded.settings) }
}

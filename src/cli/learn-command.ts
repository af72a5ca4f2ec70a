/** `monoceros learn`: the documentation and its tutorial, which are a package of their own. */
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { coded } from '../messages/coded.ts'
import { ownFile } from '../own-files/own-files.ts'
import type { PythonCommand } from '../process/python-command.ts'
import type { TextOutput } from '../process/text-output.ts'
import { SettingsError } from '../settings/settings-error.ts'

/** What the command uses of the process around it. */
export interface LearnContext {
  readonly cwd: string
  readonly pythonCommand?: PythonCommand | null
  readonly stdout: TextOutput
  readonly stderr: TextOutput
}

/**
 * Prepares what `monoceros learn` serves.
 *
 * @param args the arguments after `learn`
 * @returns the arguments of the server, or an exit status if there is nothing to serve
 * @throws SettingsError if the package is not installed
 */
export async function prepareLearn(
  args: readonly string[],
  context: LearnContext,
): Promise<string[] | number> {
  const python = context.pythonCommand?.executable
  const entry = python === undefined ? inNodeModules(context.cwd) : inPython(python)
  if (entry === null)
    throw new SettingsError(
      'unsupported',
      coded(
        'MONO1014',
        'learn needs the package monoceros-learn: ' +
          (python === undefined
            ? 'npm install monoceros-learn, or without installing: ' +
              'npx -p monoceros -p monoceros-learn monoceros learn'
            : `${python} -m pip install monoceros-learn`),
      ),
    )
  const { learn } = await import(
    /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */
    pathToFileURL(entry).href
  )
  return await learn(args, { ...context, env: process.env })
}

function inNodeModules(cwd: string): string | null {
  // The working directory, if Monoceros itself is elsewhere, such as in the folder of npx.
  for (const place of [ownFile('package.json'), join(cwd, 'package.json')]) {
    try {
      return createRequire(place).resolve('monoceros-learn')
    } catch {
      // It may be at the next place.
    }
  }
  return null
}

function inPython(executable: string): string | null {
  const program =
    'import importlib.util as u; s = u.find_spec("monoceros_learn"); ' +
    'print(s.submodule_search_locations[0] if s else "", end="")'
  const folder = execFileSync(executable, ['-c', program], { encoding: 'utf8' })
  return folder === '' ? null : join(folder, 'learn.js')
}

/** The names of processes in ps(1), as Gunicorn gives them: `monoceros: master [shop]`. */

/** What a process does. An acceptor that runs a TypeScript application itself is a `worker`. */
export type ProcessRole = 'master' | 'acceptor' | 'worker'

/**
 * The name between the brackets.
 *
 * @example processName({ procName: 'shop', defaultProcName: null, wsgiApp: 'site:app' }) // 'shop'
 */
export function processName(settings: {
  readonly procName: string | null
  readonly defaultProcName: string | null
  readonly wsgiApp: string
}): string {
  return settings.procName ?? settings.defaultProcName ?? settings.wsgiApp
}

/**
 * Names this process. The system has space for as much as the command line was long.
 *
 * @example setProcessTitle('master', 'shop')
 */
export function setProcessTitle(role: ProcessRole, name: string): void {
  process.title = processTitle(role, name)
}

export function processTitle(role: ProcessRole, name: string): string {
  return `monoceros: ${role} [${name}]`
}

import { ErrorLog } from '../logging/error-log.ts'
import { ArbiterEvents } from '../observe/arbiter-events.ts'
import { EXIT } from '../process/exit-status.ts'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { type Settings, settingsTable } from '../settings/table.ts'
import { AcceptorFailure } from './acceptor-exit.ts'
import { defaultProgram } from './acceptor-program.ts'
import { AcceptorSet } from './acceptor-set.ts'
import { type Identity, IdentityError, identityOf } from './identity.ts'

/**
 * Loads the application as the server would, in one worker that serves nobody, and ends it. No
 * hook is called.
 *
 * @returns the traceback or another reason, with the exit status, if it cannot be loaded; else null
 */
export async function checkApplication(
  settings: Settings,
): Promise<{ message: string; status: number } | null> {
  let identity: Identity | null
  try {
    identity = identityOf(settings)
  } catch (error) {
    if (!(error instanceof IdentityError)) throw error
    return { message: error.message, status: EXIT.server.FAILED }
  }
  const log = new ErrorLog({ file: '-', level: 'warning' })
  const set = new AcceptorSet({
    program: defaultProgram(),
    settings: {
      ...settings,
      ...withoutHooks(),
      workers: 1,
      acceptors: 1,
      accessLogfile: null,
      errorLogfile: '-',
      logLevel: 'warning',
    },
    listeners: [],
    identity,
    development: null,
    permitWorker: async () => 1,
    log,
    events: new ArbiterEvents(() => {}),
  })
  try {
    await set.start()
    return null
  } catch (error) {
    if (!(error instanceof AcceptorFailure)) throw error
    const { message, code } = error
    const status = code === 'application-load' ? EXIT.server.NOT_LOADED : EXIT.server.FAILED
    return { message, status }
  } finally {
    set.kill()
    await set.gone
    log.close()
  }
}

function withoutHooks(): Partial<Settings> {
  return Object.fromEntries(
    (settingsTable as readonly SettingDefinition[])
      .filter(({ type }) => type === 'hook')
      .map(({ name }) => [camelCase(name), null]),
  )
}

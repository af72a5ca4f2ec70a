import { ErrorLog } from '../logging/error-log.ts'
import type { Coded } from '../messages/coded.ts'
import { ArbiterEvents } from '../observe/arbiter-events.ts'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { type Settings, settingsTable } from '../settings/table.ts'
import { usesTls } from '../settings/tls-binds.ts'
import { defaultProgram } from './acceptor-program.ts'
import { AcceptorSet } from './acceptor-set.ts'
import { identityOf } from './identity.ts'
import { isStartFailure, statusOf } from './start-failure.ts'

/**
 * Loads the application as the server would, in one worker that serves nobody, and ends it. No
 * hook is called.
 *
 * @returns the traceback or another reason, with the exit status, if it cannot be loaded; else null
 */
export async function checkApplication(
  settings: Settings,
): Promise<{ message: Coded; status: number } | null> {
  try {
    await load(settings)
    return null
  } catch (error) {
    if (!isStartFailure(error)) throw error
    return { message: error.message, status: statusOf(error) }
  }
}

async function load(settings: Settings): Promise<void> {
  const identity = identityOf(settings)
  const log = new ErrorLog({ file: '-', level: 'warning' })
  if (usesTls(settings)) await checkCertificates(settings, log)
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
    tls: () => null,
    identity,
    development: null,
    permitWorker: async () => 1,
    log,
    events: new ArbiterEvents(() => {}),
  })
  try {
    await set.start()
  } finally {
    set.kill()
    await set.gone
    log.close()
  }
}

/** @throws CertificateError if they cannot be used */
async function checkCertificates(settings: Settings, log: ErrorLog): Promise<void> {
  const { loadTls } = await import('../certificates/load-tls.ts')
  const { validityWarning } = await import('../certificates/validity.ts')
  const { pairs, warnings } = loadTls(settings)
  const now = Date.now()
  const ofValidity = pairs.flatMap((pair) => validityWarning(pair, now) ?? [])
  for (const text of [...warnings, ...ofValidity]) log.warning(text)
}

function withoutHooks(): Partial<Settings> {
  return Object.fromEntries(
    (settingsTable as readonly SettingDefinition[])
      .filter(({ type }) => type === 'hook')
      .map(({ name }) => [camelCase(name), null]),
  )
}

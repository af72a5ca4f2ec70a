/** The dashboard: a page at `/` of `metrics_bind`, and what it shows. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { DetailsAnswer, HistoryAnswer, InstancesAnswer } from '../../dashboard/protocol.ts'
import type { Coded } from '../../messages/coded.ts'
import type { Snapshot } from '../../metrics/snapshot.ts'
import type { Settings } from '../../settings/table.ts'
import { version } from '../../settings/version.ts'
import type { ArbiterActions } from '../actions.ts'
import { ControlRoutes } from '../control/control-routes.ts'
import type { TokenCheck } from '../control/token-routes.ts'
import {
  type OperationsAnswer,
  type OperationsRoute,
  plain,
  TOKEN_WANTED,
} from '../operations/operations-server.ts'
import { SharedWork } from '../operations/shared-work.ts'
import { maySeeAll } from './access.ts'
import { acceptsGzip, pageRoutes, SECURITY_FIELDS } from './page-files.ts'
import { askPeer, SHOWN_SECONDS } from './peers.ts'
import { Recorder } from './recorder.ts'

/** Smaller answers are not compressed. */
const WORTH_COMPRESSING = 16 * 1024
/** The newest entries of the log that the page gets. */
const LOG_ENTRIES = 300
/** The oldest requests that the page gets. */
const REQUESTS_SHOWN = 100
/** How many other servers are asked at a time. */
const MOST_PEERS = 16

export interface DashboardOptions {
  readonly actions: ArbiterActions
  /** Those in force. */
  readonly settings: () => Settings
  /** The metrics of this moment. */
  readonly collect: () => Promise<Snapshot>
  /** Whether a request has the control token; null if there is none. */
  readonly hasToken: () => TokenCheck | null
  /** Logs an error of our own. */
  readonly failed: (text: Coded) => void
}

export class Dashboard {
  readonly #actions: ArbiterActions
  readonly #recorder: Recorder
  readonly #control: ControlRoutes
  readonly #boot = randomUUID()
  readonly #startedAt = Math.round(performance.timeOrigin) / 1000
  /** However many look, the acceptors are asked once at a time. */
  readonly #details: SharedWork<string>
  readonly #peers: SharedWork<InstancesAnswer['instances']>
  readonly #hasToken: DashboardOptions['hasToken']
  readonly #settings: DashboardOptions['settings']

  constructor({ actions, settings, collect, hasToken, failed }: DashboardOptions) {
    this.#actions = actions
    this.#settings = settings
    this.#hasToken = hasToken
    this.#recorder = new Recorder(collect, failed)
    this.#control = new ControlRoutes(actions, process.pid)
    this.#details = new SharedWork(async () => JSON.stringify(await this.#collectDetails()))
    this.#peers = new SharedWork(() =>
      Promise.all(this.#settings().dashboardInstances.slice(0, MOST_PEERS).map(askPeer)),
    )
    this.#recorder.start()
  }

  end(): void {
    this.#recorder.end()
  }

  routes(): readonly OperationsRoute[] {
    return [
      ...pageRoutes(),
      {
        path: '/dashboard/history',
        method: 'GET',
        // It has numbers of /metrics, and other servers ask for it by any name.
        ownHost: false,
        answer: async (request) => json(request, JSON.stringify(await this.#history(request))),
      },
      {
        path: '/dashboard/details',
        method: 'GET',
        ownHost: true,
        answer: async (request) => {
          if (!this.#maySeeAll(request)) return denied(this.#hasToken() !== null)
          return await json(request, await this.#details.next())
        },
      },
      {
        path: '/dashboard/instances',
        method: 'GET',
        ownHost: true,
        answer: async (request) => json(request, JSON.stringify(await this.#instances())),
      },
    ]
  }

  #maySeeAll(request: IncomingMessage): boolean {
    const { dashboard } = this.#settings()
    return (
      dashboard !== 'off' &&
      maySeeAll(request, { mode: dashboard, hasToken: this.#hasToken() ?? (() => false) })
    )
  }

  async #history(request: IncomingMessage): Promise<HistoryAnswer> {
    await this.#recorder.look()
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost')
    const seconds = Number(searchParams.get('seconds') ?? Number.POSITIVE_INFINITY)
    const after = Number(searchParams.get('after') ?? 0)
    return this.#shown(
      Number.isSafeInteger(after) ? after : 0,
      Number.isFinite(seconds) ? Date.now() - seconds * 1000 : 0,
      this.#maySeeAll(request),
    )
  }

  #shown(after: number, since: number, details: boolean): HistoryAnswer {
    return {
      boot: this.#boot,
      version,
      application: this.#settings().wsgiApp,
      startedAt: this.#startedAt,
      state: this.#actions.state,
      details,
      actions: this.#hasToken() !== null,
      others: this.#settings().dashboardInstances.length,
      ...this.#recorder.history.read(after, since),
    }
  }

  async #instances(): Promise<InstancesAnswer> {
    const own = this.#shown(0, Date.now() - SHOWN_SECONDS * 1000, false)
    const others = await this.#peers.next()
    return {
      instances: [{ name: 'this server', address: null, problem: null, history: own }, ...others],
    }
  }

  async #collectDetails(): Promise<DetailsAnswer> {
    const [status, { requests, leftOut }, { entries }] = await Promise.all([
      this.#control.status(),
      this.#control.requests(),
      this.#control.log(),
    ])
    const shown = requests.slice(0, REQUESTS_SHOWN)
    return {
      status,
      requests: { requests: shown, leftOut: leftOut + requests.length - shown.length },
      log: entries.slice(-LOG_ENTRIES),
      configuration: this.#control.configuration().settings,
    }
  }
}

const compress = promisify(gzip)

async function json(request: IncomingMessage, text: string): Promise<OperationsAnswer> {
  const fields = { ...SECURITY_FIELDS, Vary: 'Accept-Encoding' }
  const answer = { status: 200, type: 'application/json', fields }
  if (text.length < WORTH_COMPRESSING || !acceptsGzip(request)) return { ...answer, body: text }
  const body = await compress(text, { level: 1 })
  return { ...answer, body, fields: { ...fields, 'Content-Encoding': 'gzip' } }
}

function denied(hasToken: boolean): OperationsAnswer {
  if (!hasToken)
    return plain(
      403,
      'This needs a connection of this machine, or a control token (control_token_file)',
    )
  return TOKEN_WANTED
}

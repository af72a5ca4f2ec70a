/** What the page of the dashboard gets from its server, as JSON. */
import type {
  AcceptorState,
  ControlRequest,
  LogRecord,
  ProcessUsage,
  SlowRequest,
} from '../observe/server-state.ts'
import type { Column } from './columns.ts'

/** `GET /dashboard/history?after=N`: what was sampled since then. */
export interface HistoryAnswer {
  /** Another one is another server: what is known of the old one is not continued. */
  readonly boot: string
  readonly version: string
  readonly application: string
  /** In seconds since 1970. */
  readonly startedAt: number
  readonly state: string
  /** Whether everything else may be shown to who asks; otherwise the control token is needed. */
  readonly details: boolean
  /** Whether there is a control token, so that actions are possible. */
  readonly actions: boolean
  /** How many other servers `dashboard_instances` names. */
  readonly others: number
  /** The number of the sample that comes next, for `after`. */
  readonly next: number
  /** When each was taken, in milliseconds since 1970. */
  readonly times: readonly number[]
  readonly columns: Readonly<Record<Column, readonly (number | null)[]>>
}

/** `GET /dashboard/instances`: this server and those of `dashboard_instances`. */
export interface InstancesAnswer {
  readonly instances: readonly InstanceAnswer[]
}

export interface InstanceAnswer {
  readonly name: string
  /** Where its own dashboard is; null for this server. */
  readonly address: string | null
  /** Why there is nothing to show; otherwise null. */
  readonly problem: string | null
  /** The newest minutes. */
  readonly history: HistoryAnswer | null
}

/** `GET /dashboard/details`: what has words of clients and of the application. */
export interface DetailsAnswer {
  readonly status: StatusShown
  readonly requests: RequestsShown
  readonly log: readonly LogRecord[]
  readonly configuration: readonly SettingShown[]
}

export interface SettingShown {
  readonly name: string
  readonly value: unknown
  /** Null for a default. */
  readonly source: string | null
}

export interface RequestsShown {
  readonly requests: readonly (ControlRequest & { readonly acceptor: number })[]
  readonly leftOut: number
}

/** What the page uses of the status of the control socket. */
export interface StatusShown {
  readonly state: string
  readonly startedAt: number
  readonly generation: number
  readonly application: string
  readonly runtime: string
  readonly config: string | null
  readonly addresses: readonly string[]
  readonly workers: number
  readonly logLevel: string
  readonly acceptors: readonly {
    readonly pid: number
    readonly state: string
    readonly startedAt: number
    readonly absent: string | null
    readonly usage: ProcessUsage | null
    readonly answer: AcceptorState | null
  }[]
  readonly lastReload: {
    readonly begunAt: number
    readonly result: string
    readonly cause: string
    readonly seconds: number | null
    readonly reason: string | null
  } | null
  readonly restarts: readonly {
    readonly at: number
    readonly kind: string
    readonly pid: number
    readonly cause: string
    readonly reason: string
  }[]
  readonly restartCounts: Readonly<Record<string, number>>
  readonly errors: readonly LogRecord[]
  readonly slowRequests: readonly SlowRequest[]
  readonly now: number
}

import type { Connection, RequestInProgress } from './connection.ts'
import type { IdleMember } from './idle-connections.ts'

const NONE: readonly RequestInProgress[] = []

/** The places of a connection in the lists of its server, which alone write them. */
export abstract class ListedConnection {
  deadlinesPlace = -1
  serverPlace = -1
  idleBefore: Connection | null = null
  idleAfter: Connection | null = null
  idleIn: IdleMember<Connection>['idleIn'] = null
  idleSince = 0

  /** See `Connection.inProgress`; none before it speaks HTTP. */
  inProgress(): readonly RequestInProgress[] {
    return NONE
  }
}

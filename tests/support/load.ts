import { setTimeout as sleep } from 'node:timers/promises'
import { get } from './plain-application.ts'
import { RawConnection, type RawResponse, type Target } from './raw-client.ts'

/** What clients under load have seen. */
export interface LoadReport {
  /** The bodies of all answers with status 200. */
  bodies: string[]
  /**
   * Everything that a client must not see: another status, a cut-off or closed connection, a
   * refused one.
   */
  faults: string[]
}

/**
 * Clients that send one request after another, each over a keep-alive connection of its own, until
 * they are stopped.
 *
 * @param options.reconnect Open a new connection when the server closes the old one in an orderly
 * way, i.e. having said `Connection: close`. Without it that counts as a fault.
 * @example
 * const load = startLoad(server, '/pid', 4)
 * server.signal('SIGHUP')
 * const { faults } = await load.stop()
 */
export function startLoad(
  target: Target,
  path: string,
  clients: number,
  options: { reconnect?: boolean } = {},
) {
  const report: LoadReport = { bodies: [], faults: [] }
  let stopping = false

  async function client(): Promise<void> {
    let connection = await RawConnection.open(target)
    while (!stopping) {
      let response: RawResponse
      try {
        response = await connection.request(get(path))
      } catch (error) {
        report.faults.push(error instanceof Error ? error.message : String(error))
        return
      }
      if (response.status !== 200 || !response.complete) {
        report.faults.push(`${response.status}, complete: ${response.complete}`)
      } else {
        report.bodies.push(response.text)
      }
      // The processors are left to what starts in the meantime.
      await sleep(5)
      if (response.header('Connection') === 'close') {
        if (!options.reconnect) {
          report.faults.push('Connection: close')
          return
        }
        connection.close()
        connection = await RawConnection.open(target)
      }
    }
    connection.close()
  }

  const running = Promise.all(
    Array.from({ length: clients }, () =>
      client().catch((error: Error) => {
        report.faults.push(error.message)
      }),
    ),
  )
  return {
    /** What was seen so far. */
    report,
    /** Lets every client finish its request, and resolves with what they saw. */
    stop: async (): Promise<LoadReport> => {
      stopping = true
      await running
      return report
    },
  }
}

import type { ArbiterActions } from '../actions.ts'
import { type OperationsRoute, plain } from './operations-server.ts'
import type { Readiness } from './readiness.ts'
import { SharedWork } from './shared-work.ts'

/** How long acceptors have to answer, in milliseconds: probes of Kubernetes wait for a second. */
const ANSWER_MS = 800

/** `/livez`, `/readyz` and `/startupz`. A server whose acceptors all hang is not ready. */
export function healthRoutes(
  readiness: Pick<Readiness, 'obstacle' | 'started'>,
  actions: Pick<ArbiterActions, 'ask'>,
): readonly OperationsRoute[] {
  const answering = new SharedWork(async () => {
    const answers = await actions.ask('workers', null, ANSWER_MS)
    return answers.some(({ answer }) => answer !== null)
  })
  const route = (
    path: string,
    obstacle: () => string | null | Promise<string | null>,
  ): OperationsRoute => ({
    path,
    method: 'GET',
    ownHost: false,
    async answer() {
      const reason = await obstacle()
      return reason === null ? plain(200, 'ok') : plain(503, reason)
    },
  })
  return [
    route('/livez', () => null),
    route('/readyz', async () => {
      if (readiness.obstacle !== null) return readiness.obstacle
      return (await answering.next()) ? readiness.obstacle : 'no acceptor answers'
    }),
    route('/startupz', () => (readiness.started ? null : 'the server has not served yet')),
  ]
}

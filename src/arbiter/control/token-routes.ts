/** The control of the server over HTTP, on the addresses of `metrics_bind`: only with a token. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ActionName } from '../../control/protocol.ts'
import { coded } from '../../messages/coded.ts'
import { whyUnreadable } from '../../settings/unreadable-file.ts'
import type { ArbiterActions } from '../actions.ts'
import { ListenError } from '../listeners.ts'
import {
  type OperationsAnswer,
  type OperationsRoute,
  TOKEN_WANTED,
} from '../operations/operations-server.ts'
import { ControlRoutes, whileConnected } from './control-routes.ts'

/** The file of the token cannot be used; `message` is for the user. */
export class ControlTokenError extends ListenError {}

/** Whether a request has the token, by its field Authorization. */
export type TokenCheck = (authorization: string | undefined) => boolean

/** A shorter one could be guessed. */
const SHORTEST = 16

const QUESTIONS = ['status', 'requests', 'log', 'configuration'] as const
/** All of them: a new one is missing here until it is added. */
const ACTIONS = Object.keys({
  reload: true,
  scale: true,
  restart: true,
  profile: true,
  memory: true,
  'heap-snapshot': true,
  drain: true,
  'log-level': true,
  reopen: true,
  stop: true,
} satisfies Record<ActionName, true>) as readonly ActionName[]

/**
 * Reads a token.
 *
 * @throws ControlTokenError
 */
export function readToken(path: string): string {
  let token: string
  try {
    token = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new ControlTokenError(
      coded('MONO5402', `Cannot read ${path} (control_token_file): ${whyUnreadable(error)}`),
    )
  }
  if (token.length < SHORTEST || !/^[\x21-\x7e]+$/.test(token))
    throw new ControlTokenError(
      coded(
        'MONO5402',
        `The control token in ${path} must have at least ${SHORTEST} characters of ASCII, and no ` +
          'spaces; openssl rand -hex 32 makes one',
      ),
    )
  return token
}

/**
 * `/control/status`, `/control/reload` and so on, as on the control socket.
 *
 * A page of another site cannot use them in its visitor's browser: the token is in a header, which
 * a browser never adds by itself, and the Host must be the server's own. Nothing here answers a
 * preflight request (CORS).
 *
 * @param pid of the arbiter
 * @param hasToken asked with each request, because a reload may have changed the token
 */
export function tokenRoutes(
  actions: ArbiterActions,
  pid: number,
  hasToken: TokenCheck,
): OperationsRoute[] {
  const routes = new ControlRoutes(actions, pid)
  const route = (method: 'GET' | 'POST', name: string): OperationsRoute => ({
    path: `/control/${name}`,
    method,
    ownHost: true,
    answer: async (request, body): Promise<OperationsAnswer> => {
      if (!hasToken(request.headers.authorization)) return TOKEN_WANTED
      const from = request.socket.remoteAddress ?? 'a unix socket'
      const answer = await whileConnected(request.socket, (gone) =>
        routes.answer(method, name, body.toString(), { cause: `HTTP from ${from}`, gone }),
      )
      return {
        status: answer.status,
        type: 'application/json',
        body: `${JSON.stringify(answer.content)}\n`,
      }
    },
  })
  return [
    ...QUESTIONS.map((name) => route('GET', name)),
    ...ACTIONS.map((name) => route('POST', name)),
  ]
}

/** Compares digests, so that neither the content nor the length of the token shows in the time. */
export function isToken(authorization: string | undefined, token: string): boolean {
  const given = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization ?? '')?.[1]
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Asks a running server over its control socket. */
import { request } from 'node:http'
import { type Coded, CodedError, coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { isStopped } from '../process/other-process.ts'
import { version } from '../settings/version.ts'
import { type ControlError, type Envelope, PROTOCOL, type Reply } from './protocol.ts'

/** Why there is no answer; `message` is for the user, `status` one of `EXIT.ctl`. */
export class ControlFailure extends CodedError {
  readonly code = 'control'
  readonly status: number

  constructor(message: Coded, status: number) {
    super(message)
    this.status = status
  }
}

/** A question or an action. */
export interface ControlCall {
  readonly method: 'GET' | 'POST'
  /** `status`, `reload` */
  readonly name: string
  readonly given?: object
  /** How long to wait for the answer, in milliseconds; Infinity for as long as it takes. */
  readonly withinMs: number
}

/** The socket of one server. */
export interface ControlTarget {
  readonly path: string
  /** Its process, if that is known. */
  readonly pid: number | null
}

/** An answer is never longer than this; a program that is no server could send without end. */
const ANSWER_LIMIT = 64 * 1024 * 1024

/**
 * @throws ControlFailure if the server is gone, does not answer in time, has another version, or
 * refuses
 */
export async function callServer<Content extends object>(
  target: ControlTarget,
  call: ControlCall,
): Promise<Envelope & Content> {
  const reply = parse(target, await exchange(target, call)) as Reply<Content>
  if (reply.protocol !== PROTOCOL)
    throw new ControlFailure(
      coded(
        'MONO6003',
        `${nameOf(target)} is Monoceros ${reply.monoceros}, with version ${reply.protocol} of ` +
          'the ' +
          `control protocol. This command is Monoceros ${version}, with version ${PROTOCOL}; ` +
          'use the command of the server',
      ),
      EXIT.ctl.OTHER_VERSION,
    )
  if ('error' in reply) throw refusal(reply.error)
  return reply
}

function refusal({ code, message }: ControlError): ControlFailure {
  const status = {
    'bad-request': EXIT.ctl.USAGE,
    'bad-method': EXIT.ctl.USAGE,
    'not-found': EXIT.ctl.REFUSED,
    'not-now': EXIT.ctl.REFUSED,
    failed: EXIT.ctl.FAILED,
    internal: EXIT.ctl.FAILED,
  }[code]
  return new ControlFailure(coded('MONO6010', message), status)
}

function parse(target: ControlTarget, text: string): Envelope {
  try {
    const reply = JSON.parse(text)
    if (typeof reply?.protocol === 'number') return reply
  } catch {
    // The same as without a protocol.
  }
  throw new ControlFailure(
    coded('MONO6002', `${target.path} is not the control socket of Monoceros`),
    EXIT.ctl.NO_SERVER,
  )
}

function exchange(target: ControlTarget, { method, name, given, withinMs }: ControlCall) {
  return new Promise<string>((resolve, reject) => {
    const body = given === undefined ? '' : JSON.stringify(given)
    const asked = request({
      socketPath: target.path,
      method,
      path: `/${name}`,
      headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
      agent: false,
    })
    const timer = Number.isFinite(withinMs)
      ? setTimeout(() => {
          reject(noAnswer(target, withinMs))
          asked.destroy()
        }, withinMs)
      : undefined
    asked.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      reject(notReached(target, error))
    })
    asked.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > ANSWER_LIMIT) asked.destroy(new Error('The answer is too long'))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        clearTimeout(timer)
        resolve(Buffer.concat(chunks).toString())
      })
      response.on('error', (error) => {
        clearTimeout(timer)
        reject(notReached(target, error))
      })
    })
    asked.end(body)
  })
}

function notReached(target: ControlTarget, error: NodeJS.ErrnoException): ControlFailure {
  const { code = '' } = error
  if (code === 'EACCES' || code === 'EPERM')
    return new ControlFailure(
      coded(
        'MONO6004',
        `Permission denied: ${target.path}. Only the user of the server may control it`,
      ),
      EXIT.ctl.NO_SERVER,
    )
  if (code === 'ENOENT')
    return new ControlFailure(
      coded('MONO6002', `There is no control socket ${target.path}`),
      EXIT.ctl.NO_SERVER,
    )
  if (code === 'ECONNREFUSED')
    return new ControlFailure(
      coded(
        'MONO6002',
        `No server listens on ${target.path}; one that was killed has left it behind`,
      ),
      EXIT.ctl.NO_SERVER,
    )
  return new ControlFailure(
    coded(
      'MONO6005',
      `${nameOf(target)} ended the connection without an answer (${code || error.message})`,
    ),
    EXIT.ctl.NO_ANSWER,
  )
}

function noAnswer(target: ControlTarget, withinMs: number): ControlFailure {
  const { pid } = target
  const why =
    pid !== null && isStopped(pid)
      ? `it is stopped by a signal (SIGSTOP); kill -CONT ${pid} has it go on`
      : 'its event loop is blocked, or the machine is overloaded'
  return new ControlFailure(
    coded('MONO6005', `${nameOf(target)} does not answer within ${withinMs / 1000} s: ${why}`),
    EXIT.ctl.NO_ANSWER,
  )
}

/** `The server (process 4711)` */
function nameOf({ pid, path }: ControlTarget): string {
  return `The server (${pid === null ? path : `process ${pid}`})`
}

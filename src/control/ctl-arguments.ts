/** The command line of `monoceros ctl` and `monoceros top`. */
import { CodedError, coded } from '../messages/coded.ts'
import type { NamedServer } from './find-server.ts'

/** A mistake in it; `message` is for the user. */
export class CtlUsageError extends CodedError {
  readonly code = 'ctl-usage'
}

/** What is asked for. */
export interface CtlArguments {
  readonly server: NamedServer
  readonly json: boolean
  readonly help: boolean
  /** How long the server may take to answer, in seconds. */
  readonly timeout: number
  /** Without waiting for the end of a stop. */
  readonly wait: boolean
  readonly quick: boolean
  /** Also the settings that are defaults. */
  readonly all: boolean
  /** The command and its arguments. */
  readonly words: readonly string[]
}

const DEFAULT_TIMEOUT = 5

/** @throws CtlUsageError */
export function parseCtlArguments(args: readonly string[]): CtlArguments {
  let socket: string | null = null
  let pidFile: string | null = null
  let pid: number | null = null
  let timeout = DEFAULT_TIMEOUT
  let json = false
  let help = false
  let wait = true
  let quick = false
  let all = false
  const words: string[] = []
  const rest = [...args]
  while (rest.length > 0) {
    const arg = rest.shift()!
    const [name, inline] = arg.startsWith('--') ? splitOnce(arg) : [arg, undefined]
    const value = () => {
      const given = inline ?? rest.shift()
      if (given === undefined || given === '')
        throw new CtlUsageError(coded('MONO6001', `${name}: a value is missing`))
      return given
    }
    switch (name) {
      case '--control-socket':
      case '-s':
        socket = value()
        break
      case '--pid-file':
      case '--pidfile':
        pidFile = value()
        break
      case '--pid':
      case '-p':
        pid = wholeNumber(name, value())
        break
      case '--timeout':
        timeout = seconds(name, value())
        break
      case '--json':
        json = true
        break
      case '--no-wait':
        wait = false
        break
      case '--quick':
        quick = true
        break
      case '--all':
        all = true
        break
      case '--help':
      case '-h':
        help = true
        break
      default:
        // `scale -1` takes one away.
        if (arg.startsWith('-') && !/^-[0-9]+$/.test(arg))
          throw new CtlUsageError(
            coded('MONO6001', `${arg} is not an option; see monoceros ctl --help`),
          )
        words.push(arg)
    }
  }
  if ([socket, pidFile, pid].filter((one) => one !== null).length > 1)
    throw new CtlUsageError(coded('MONO6001', 'Give one of --control-socket, --pid-file and --pid'))
  return { server: { socket, pidFile, pid }, json, help, timeout, wait, quick, all, words }
}

function splitOnce(arg: string): [string, string | undefined] {
  const at = arg.indexOf('=')
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)]
}

/** @throws CtlUsageError */
export function wholeNumber(name: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) === 0)
    throw new CtlUsageError(
      coded('MONO6001', `${name}: expected a whole number above 0, got ${JSON.stringify(text)}`),
    )
  return Number(text)
}

function seconds(name: string, text: string): number {
  const value = Number(text)
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || value === 0 || value > 86_400)
    throw new CtlUsageError(
      coded('MONO6001', `${name}: expected seconds, got ${JSON.stringify(text)}`),
    )
  return value
}

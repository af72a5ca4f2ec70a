import type { LogRecord, SlowRequest } from '../../observe/server-state.ts'
import type { DetailsAnswer } from '../protocol.ts'
import type { Actions } from './actions.ts'
import type { Api } from './api.ts'
import { Configuration } from './configuration.ts'
import { byId } from './dom.ts'
import { Entries, Restarts } from './entries.ts'
import { formatSeconds } from './format.ts'
import { Log } from './log.ts'
import { Profile } from './profile.ts'
import { Requests } from './requests.ts'
import { Workers } from './workers.ts'

/** What has words of clients and of the application. */
export class Details {
  readonly #api: Api
  readonly #workers: Workers
  readonly #requests = new Requests()
  readonly #errors = new Entries('Newest errors', 'None.')
  readonly #slow = new Entries(
    'Slow requests',
    'None. The setting slow_request has their stacks logged.',
  )
  readonly #restarts = new Restarts()
  readonly #profile: Profile
  readonly #configuration = new Configuration()
  readonly #log = new Log()

  constructor(api: Api, actions: Actions) {
    this.#api = api
    this.#workers = new Workers((pid) => void actions.replace(pid))
    this.#profile = new Profile(api)
    // What can be pressed is above what grows: a button that moves between pressing and letting go
    // of the mouse is not pressed.
    const parts = [
      actions,
      this.#workers,
      this.#requests,
      this.#errors,
      this.#slow,
      this.#restarts,
      this.#configuration,
      this.#profile,
      this.#log,
    ]
    byId('details').append(...parts.map(({ whole }) => whole))
  }

  show({ status, requests, log, configuration }: DetailsAnswer): void {
    byId('details').hidden = false
    this.#workers.show(status, this.#api.hasToken)
    this.#requests.show(requests)
    this.#errors.show(status.errors)
    this.#slow.show(status.slowRequests.map(slowEntry))
    this.#restarts.show(status)
    this.#profile.allow(this.#api.hasToken)
    this.#configuration.show(configuration)
    this.#log.show(log)
  }
}

/** As an entry of the log; the key has the stack, which comes a little later. */
function slowEntry({ at, request, seconds, worker, stack }: SlowRequest): LogRecord {
  const what = `${request ?? 'the event loop'} had run for ${formatSeconds(seconds)}`
  const text = stack === null ? what : `${what}\n${stack}`
  return { number: Number(stack !== null), at, pid: worker, level: 'slow', text }
}

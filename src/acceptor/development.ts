/** What an acceptor does for `--reload` only. It is not imported without it. */
import type { EdgeHandler } from '../edge/chain.ts'
import { Audience } from '../edge/development/audience.ts'
import { BrowserStreams } from '../edge/development/browser-streams.ts'
import { FailingApplication } from '../edge/development/failing-application.ts'
import { refreshBrowsers } from '../edge/development/refresh-browsers.ts'
import { ReplacedApplication } from '../edge/development/replaced-application.ts'
import type { Coded } from '../messages/coded.ts'
import { ApplicationLoadError } from '../runtimes/application-load-error.ts'
import { WorkerStartError } from '../runtimes/workers/worker-start-error.ts'
import type { Settings } from '../settings/table.ts'
import type { BrowserChange, DevelopmentStart } from './messages.ts'

/**
 * Answers with the error of an application that cannot be loaded, and has the pages that are open
 * in browsers refreshed.
 */
export class Development {
  readonly #audience: Audience
  readonly #failing: FailingApplication
  readonly #replaced = new ReplacedApplication()
  /** Null without `--reload-browser`. */
  readonly #streams: BrowserStreams | null

  constructor({ reloadClients, reloadBrowser }: Settings, { version }: DevelopmentStart) {
    this.#audience = new Audience(reloadClients)
    this.#failing = new FailingApplication(this.#audience)
    this.#streams = reloadBrowser ? new BrowserStreams(version) : null
  }

  /** Puts its handlers around those of the edge, and one after them. */
  around(handlers: readonly EdgeHandler[]): EdgeHandler[] {
    const outer = [this.#replaced.handler]
    if (this.#streams !== null) outer.push(refreshBrowsers(this.#audience, this.#streams))
    return [...outer, ...handlers, this.#failing.handler]
  }

  /** Answers requests with this error, or with the application again if it is null. */
  showFailure(text: string | null): void {
    this.#failing.failure = text
  }

  refreshBrowsers(version: number, change: BrowserChange): void {
    if (change.kind === 'style') this.#streams?.refreshStyle(version, change.file)
    else this.#streams?.refreshPages(version)
  }

  /** @param replaced another acceptor serves a newer application */
  end(replaced: boolean): void {
    this.#replaced.replaced = replaced
    this.#streams?.end(replaced)
  }
}

/**
 * The text to answer with if the application is the reason that a server cannot start; null if it
 * is not.
 */
export function failureToShow(error: unknown): Coded | null {
  const isOfApplication =
    error instanceof ApplicationLoadError || (error instanceof WorkerStartError && !error.expected)
  return isOfApplication ? error.message : null
}

/** `monoceros top`: what a running server is doing, live in the terminal. */
import type { ReadStream, WriteStream } from 'node:tty'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { ControlFailure, type ControlTarget, callServer } from './control-client.ts'
import { CtlUsageError, parseCtlArguments } from './ctl-arguments.ts'
import { type CtlContext, target } from './ctl-command.ts'
import type { ControlStatus } from './protocol.ts'
import { harmlessLines } from './tables.ts'
import { drawScreen, type Sample } from './top-screen.ts'

export const TOP_HELP = `Usage: monoceros top [OPTIONS]

Shows what a running server is doing, once a second. q quits, p pauses, the arrows scroll.

Options:
  -s, --control-socket PATH  The server's control socket
      --pid-file FILE        The server's pid file
  -p, --pid PID              The server's process; only needed if you run several servers
      --timeout SECONDS      How long the server may take to answer [5]
  -h, --help                 Show this text

Without colours if NO_COLOR is set. Where there is no terminal, use monoceros ctl status.
`

/** How often the server is asked, in milliseconds. */
const EVERY_MS = 1000

/** The terminal. */
export interface TopContext extends CtlContext {
  readonly terminal: { readonly input: ReadStream; readonly output: WriteStream } | null
}

/**
 * Runs `monoceros top` until the user quits or the server ends.
 *
 * @param args the arguments after `top`
 * @returns the exit status, one of `EXIT.ctl`
 */
export async function runTop(args: readonly string[], context: TopContext): Promise<number> {
  const { stdout, stderr, terminal } = context
  try {
    const given = parseCtlArguments(args)
    if (given.help) {
      stdout.write(TOP_HELP)
      return EXIT.ctl.DONE
    }
    if (given.words.length > 0)
      throw new CtlUsageError(
        coded('MONO6001', `top has no arguments, got ${JSON.stringify(given.words[0])}`),
      )
    if (terminal === null)
      throw new CtlUsageError(
        coded('MONO6001', 'top needs a terminal; use monoceros ctl status without one'),
      )
    const server = await target(given, context)
    const top = new Top(server, given.timeout * 1000, terminal, coloursOf(context.env))
    return await top.run()
  } catch (error) {
    if (!(error instanceof ControlFailure || error instanceof CtlUsageError)) throw error
    stderr.write(`monoceros top: ${harmlessLines(error.message)}\n`)
    return error instanceof ControlFailure ? error.status : EXIT.ctl.USAGE
  }
}

/** See no-color.org: any value but an empty one. */
function coloursOf({ NO_COLOR, TERM }: TopContext['env']): boolean {
  return (NO_COLOR ?? '') === '' && TERM !== 'dumb'
}

/**
 * The screen that programs such as less(1) use, so that what was there before comes back. Lines
 * with wide characters are cut off by the terminal, instead of being wrapped.
 */
const OTHER_SCREEN = '\u001b[?1049h\u001b[?25l\u001b[?7l'
const OWN_SCREEN = '\u001b[?7h\u001b[?25h\u001b[?1049l'
const TOP_LEFT = '\u001b[H'
const REST_OF_LINE = '\u001b[K'
const REST_OF_SCREEN = '\u001b[J'

class Top {
  readonly #server: ControlTarget
  readonly #withinMs: number
  readonly #input: ReadStream
  readonly #output: WriteStream
  readonly #colours: boolean
  #now: Sample | null = null
  #before: Sample | null = null
  #trouble: string | null = null
  #scrolled = 0
  #paused = false
  #quit: (failure: ControlFailure | null) => void = () => {}

  constructor(
    server: ControlTarget,
    withinMs: number,
    { input, output }: NonNullable<TopContext['terminal']>,
    colours: boolean,
  ) {
    this.#server = server
    this.#withinMs = withinMs
    this.#input = input
    this.#output = output
    this.#colours = colours
  }

  /** @throws ControlFailure if the server cannot be reached, or ends */
  async run(): Promise<number> {
    // Before the screen is taken, so that a failure is shown where the user is.
    await this.#look()
    const over = new Promise<ControlFailure | null>((resolve) => {
      this.#quit = resolve
    })
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    const leave = () => this.#quit(null)
    const draw = () => this.#draw()
    const keys = (text: Buffer) => this.#keys(text.toString('latin1'))
    for (const signal of signals) process.on(signal, leave)
    // Whatever ends this process, the terminal is as it was.
    process.on('exit', this.#restore)
    this.#output.write(OTHER_SCREEN)
    this.#output.on('resize', draw)
    this.#input.setRawMode(true)
    this.#input.on('data', keys)
    // The terminal is gone.
    this.#input.on('end', leave)
    const timer = setInterval(() => void this.#lookAgain(), EVERY_MS)
    draw()
    const failure = await over
    clearInterval(timer)
    process.off('exit', this.#restore)
    for (const signal of signals) process.off(signal, leave)
    this.#output.off('resize', draw)
    this.#input.off('data', keys)
    this.#input.off('end', leave)
    this.#restore()
    this.#input.pause()
    if (failure !== null) throw failure
    return EXIT.ctl.DONE
  }

  readonly #restore = () => {
    this.#input.setRawMode(false)
    this.#output.write(OWN_SCREEN)
  }

  #keys(text: string): void {
    if (text === 'q' || text === 'Q' || text.includes('\u0003')) return this.#quit(null)
    if (text === 'p' || text === ' ') this.#paused = !this.#paused
    if (text === '\u001b[A' || text === 'k') this.#scrolled = Math.max(0, this.#scrolled - 1)
    if (text === '\u001b[B' || text === 'j')
      this.#scrolled = Math.min(this.#lines(), this.#scrolled + 1)
    this.#draw()
  }

  #lines(): number {
    const acceptors = this.#now?.status.acceptors ?? []
    return acceptors.reduce((sum, { answer }) => sum + 1 + (answer?.workers.length ?? 0), 0)
  }

  #looking = false

  async #lookAgain(): Promise<void> {
    if (this.#paused || this.#looking) return
    this.#looking = true
    try {
      await this.#look()
      this.#trouble = null
    } catch (error) {
      if (!(error instanceof ControlFailure)) throw error
      // One that hangs may go on; one that is gone does not come back.
      if (error.status !== EXIT.ctl.NO_ANSWER) return this.#quit(error)
      this.#trouble = error.message
    } finally {
      this.#looking = false
    }
    this.#draw()
  }

  async #look(): Promise<void> {
    const call = { method: 'GET', name: 'status', withinMs: this.#withinMs } as const
    const status = await callServer<ControlStatus>(this.#server, call)
    this.#before = this.#now
    this.#now = { status, at: performance.now() }
  }

  #draw(): void {
    if (this.#now === null) return
    const lines = drawScreen(this.#now, this.#before, {
      columns: this.#output.columns || 80,
      rows: this.#output.rows || 24,
      colours: this.#colours,
      scrolled: this.#scrolled,
      trouble: this.#trouble,
      paused: this.#paused,
    })
    const text = lines.map((line) => `${line}${REST_OF_LINE}`).join('\r\n')
    this.#output.write(`${TOP_LEFT}${text}${REST_OF_SCREEN}`)
  }
}

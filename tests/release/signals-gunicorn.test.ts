import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { startGunicorn } from '../support/gunicorn.ts'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { startServer } from '../support/server.ts'

// The same probe runs against both servers: a request is in progress, signals arrive, and we look
// at what becomes of the request and of the server. The guide "Coming from Gunicorn" has the table.

/** What a request in progress and the process became. */
type Outcome = 'answered, ends' | 'cut, ends' | 'answered, serves'

interface Row {
  signals: readonly NodeJS.Signals[]
  args?: readonly string[]
  gunicorn: Outcome
  ours: Outcome
  /** Why they differ. */
  because?: string
}

const SYNC = ['-k', 'sync']
const THREADS = ['-k', 'gthread', '--threads', '2']
const GREENLETS = ['-k', 'gevent']

const rows: readonly Row[] = [
  { signals: ['SIGTERM'], args: SYNC, gunicorn: 'answered, ends', ours: 'answered, ends' },
  { signals: ['SIGTERM'], args: THREADS, gunicorn: 'answered, ends', ours: 'answered, ends' },
  { signals: ['SIGTERM'], args: GREENLETS, gunicorn: 'answered, ends', ours: 'answered, ends' },
  {
    signals: ['SIGINT'],
    args: GREENLETS,
    gunicorn: 'cut, ends',
    ours: 'answered, ends',
    because: 'nobody who presses Ctrl-C wants errors; a second one ends the requests',
  },
  { signals: ['SIGQUIT'], args: GREENLETS, gunicorn: 'cut, ends', ours: 'cut, ends' },
  {
    signals: ['SIGHUP'],
    args: GREENLETS,
    gunicorn: 'answered, serves',
    ours: 'answered, serves',
  },
  { signals: ['SIGTERM', 'SIGTERM'], gunicorn: 'answered, ends', ours: 'answered, ends' },
  { signals: ['SIGTERM', 'SIGINT'], gunicorn: 'cut, ends', ours: 'cut, ends' },
  { signals: ['SIGTERM', 'SIGQUIT'], gunicorn: 'cut, ends', ours: 'cut, ends' },
  {
    signals: ['SIGINT'],
    args: SYNC,
    gunicorn: 'cut, ends',
    ours: 'answered, ends',
    because: 'nobody who presses Ctrl-C wants errors; a second one ends the requests',
  },
  { signals: ['SIGINT'], args: THREADS, gunicorn: 'answered, ends', ours: 'answered, ends' },
  { signals: ['SIGQUIT'], args: SYNC, gunicorn: 'cut, ends', ours: 'cut, ends' },
  { signals: ['SIGQUIT'], args: THREADS, gunicorn: 'answered, ends', ours: 'answered, ends' },
  { signals: ['SIGINT', 'SIGINT'], args: SYNC, gunicorn: 'cut, ends', ours: 'cut, ends' },
  {
    signals: ['SIGQUIT', 'SIGQUIT'],
    args: THREADS,
    gunicorn: 'answered, ends',
    ours: 'cut, ends',
    because: 'a second signal is for those who do not want to wait',
  },
  ...(['SIGHUP', 'SIGUSR1', 'SIGTTIN', 'SIGTTOU'] as const).map(
    (signal): Row => ({
      signals: [signal],
      gunicorn: 'answered, serves',
      ours: 'answered, serves',
    }),
  ),
]

/** What either log says when a signal has been taken. */
const HANDLED: Partial<Record<NodeJS.Signals, RegExp>> = {
  SIGTERM: /Handling signal: term|SIGTERM/,
  SIGINT: /Handling signal: int|Quick shutdown|SIGINT/,
  SIGQUIT: /Handling signal: quit|Quick shutdown|SIGQUIT/,
  SIGHUP: /Handling signal: hup|SIGHUP/,
  SIGUSR1: /Handling signal: usr1|SIGUSR1/,
  SIGTTIN: /Handling signal: ttin|SIGTTIN/,
  SIGTTOU: /Handling signal: ttou|SIGTTOU/,
}

const seen: string[] = []

describe.skipIf(!hasPython())('signals while a request runs, beside Gunicorn', () => {
  afterAll(() => console.log(seen.join('\n')))

  for (const { signals, args = SYNC, because = '', ...expected } of rows) {
    test(`${signals.join(', ')} with ${args[1]}${because && `: ${because}`}`, async () => {
      const both = await Promise.all([
        probe(await startPlain({ args: [...args] }, startGunicorn), signals, expected.gunicorn),
        probe(await startPlain({ args: [...args] }, startServer), signals, expected.ours),
      ])
      seen.push(`${signals.join(', ')} ${args[1]}: gunicorn ${both[0]}; here ${both[1]}`)
      expect({ gunicorn: both[0], ours: both[1] }).toEqual(expected)
    })
  }
})

/** Sends the signals while a request runs. One that is expected to be cut is not let go on. */
async function probe(
  server: PlainServer,
  signals: readonly NodeJS.Signals[],
  expected: Outcome,
): Promise<Outcome> {
  const connection = await RawConnection.open(server)
  const answer = connection
    .request(get('/wait?key=a', 'Connection: close'))
    .then(({ status }) => (status === 200 ? 'answered' : 'cut'))
    .catch(() => 'cut')
  await server.begun('a')
  const [first, ...further] = signals
  server.signal(first!)
  await server.waitForLog(HANDLED[first!] ?? /./)
  // Not every server says something about these.
  for (const signal of further) server.signal(signal)
  if (!expected.startsWith('cut')) {
    // A server that cuts requests has the time to do so. On a slow machine, it may be too short to
    // find a wrong one, but no right one fails.
    await sleep(300)
    server.go('a')
  }
  const request = await answer
  if (expected.endsWith('ends')) await server.exited
  else {
    const again = await RawConnection.open(server)
    expect((await again.request(get('/', 'Connection: close'))).status).toBe(200)
  }
  return `${request}, ${expected.endsWith('ends') ? 'ends' : 'serves'}` as Outcome
}

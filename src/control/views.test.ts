import { describe, expect, test } from 'vitest'
import type { ControlStatus, ControlWorker, Envelope } from './protocol.ts'
import { drawScreen, ratePerSecond } from './top-screen.ts'
import {
  configurationView,
  queueView,
  requestsView,
  slowView,
  statusView,
  workersView,
} from './views.ts'

const ESCAPE = '\u001b'
const NOW = 1_800_000_000_000

function worker(changes: Partial<ControlWorker> = {}): ControlWorker {
  return {
    pid: 30,
    state: 'serving',
    readyAt: NOW - 60_000,
    taken: 5,
    requests: 0,
    recycling: false,
    running: [],
    usage: { memory: 1024 ** 2, cpu: 1 },
    ...changes,
  }
}

const evil = worker({
  requests: 2,
  running: [{ request: `GET /${ESCAPE}[2J`, state: 'running', seconds: 2, worker: 30 }],
})

function status(workers: readonly ControlWorker[] | null, changes: Partial<ControlStatus> = {}) {
  const answer = workers && {
    connections: 3,
    waiting: 1,
    waitingLimit: 64,
    longestWait: 0.5,
    held: 2048,
    heldLimit: null,
    spooled: 0,
    spoolLimit: null,
    workers,
  }
  return {
    protocol: 1,
    monoceros: '0.1.0',
    pid: 10,
    state: 'serving',
    startedAt: NOW - 90_000,
    generation: 1,
    application: 'shop:app',
    runtime: 'cpython',
    config: null,
    addresses: ['http://127.0.0.1:8000'],
    workers: 1,
    logLevel: 'info',
    usage: null,
    acceptors: [
      {
        pid: 20,
        state: 'serving',
        startedAt: NOW - 90_000,
        absent: workers === null ? 'it did not answer within 1 s' : null,
        usage: null,
        answer,
      },
    ],
    lastReload: null,
    restarts: [],
    restartCounts: {},
    errors: [],
    slowRequests: [],
    now: NOW,
    ...changes,
  } satisfies ControlStatus & Envelope
}

test('status: a worker, what it works on, and how many others', () => {
  const lines = statusView(status([evil]))
  expect(lines).toContain('Workers       1 of 1 serve, 1 busy')
  expect(lines).toContain('Queue         1 request waiting, for up to 0.50 s')
  expect(lines.at(-1)).toMatch(/worker +30 +serving .*GET \/\\x1b\[2J for 2.00 s \(\+1\)$/)
})

test('an acceptor that hangs is a line, not an empty table', () => {
  const line = 'Acceptor 20: no answer, because it did not answer within 1 s'
  expect(statusView(status(null)).at(-1)).toBe(line)
  expect(workersView(status(null))).toEqual([line])
  expect(queueView(status(null))[1]).toContain('it did not answer within 1 s')
})

test('an acceptor that is its own worker is listed once', () => {
  const own = worker({ ...evil, pid: 20 })
  const lines = statusView(status([own], { runtime: 'node' }))
  expect(lines.filter((line) => / 20 /.test(line))).toEqual([
    expect.stringMatching(/^acceptor +20 .*GET \/\\x1b\[2J for 2.00 s/),
  ])
})

test('slow requests are a table, and then their stacks', () => {
  const one = { at: NOW - 5000, request: 'GET /report\u001b[2J', seconds: 2.1, worker: 30 }
  const lines = slowView(
    status([], {
      slowRequests: [
        { ...one, stack: '  File "shop.py", line 13 in prices\n' },
        { ...one, request: null, stack: null },
      ],
    }),
  )
  expect(lines.map((line) => line.replace(/ +/g, ' ').trim())).toEqual([
    'AGO HAD RUN FOR WORKER REQUEST',
    '5.00 s 2.10 s 30 GET /report\\x1b[2J',
    '5.00 s 2.10 s 30 (the event loop was blocked)',
    '',
    // The command makes all of its text harmless.
    'GET /report\u001b[2J, worker 30:',
    'File "shop.py", line 13 in prices',
  ])
  expect(slowView(status([]))).toHaveLength(1)
})

test('without workers, the state says why', () => {
  expect(workersView(status([], { state: 'drained' }))[0]).toContain('the server is drained')
  expect(workersView(status([], { state: 'starting' }))[0]).toContain('is starting')
})

test('requests and settings have nothing that a terminal would obey', () => {
  const request = { ...evil.running[0]!, acceptor: 20 }
  const lines = requestsView({
    requests: [request],
    leftOut: 2,
    absent: [],
    ...status([]),
  } as never)
  expect(lines[1]).toContain('GET /\\x1b[2J')
  expect(lines[2]).toBe('… and 2 requests more')
  const settings = [{ name: 'bind', value: '\u009b31m', source: '--bind' }]
  expect(configurationView({ settings }, false)[1]).toContain('\\x9b31m')
})

describe('the screen of top', () => {
  const options = {
    columns: 60,
    rows: 10,
    colours: false,
    scrolled: 0,
    trouble: null,
    paused: false,
  }

  test('is never larger than the terminal, whatever is shown', () => {
    const many = Array.from({ length: 100 }, (_, pid) => worker({ ...evil, pid: pid + 100 }))
    const errors = [
      { number: 1, at: NOW, pid: 1, level: 'error', text: `${ESCAPE}]0;x${'y'.repeat(500)}\nz` },
    ]
    const now = { status: status(many, { errors }), at: 0 }
    for (const [columns, rows] of [
      [60, 10],
      [1, 1],
      [20, 3],
      [400, 200],
    ] as const) {
      const lines = drawScreen(now, null, { ...options, columns, rows, trouble: `a${ESCAPE}c` })
      expect(lines.length).toBeLessThanOrEqual(rows)
      for (const line of lines) {
        expect(line.length).toBeLessThanOrEqual(columns)
        expect(line).not.toContain(ESCAPE)
      }
    }
  })

  test('has colours only around what it says itself', () => {
    const now = { status: status([evil]), at: 0 }
    const lines = drawScreen(now, null, { ...options, columns: 200, colours: true })
    const row = lines.find((line) => line.includes('GET /'))!
    expect(row.startsWith(`${ESCAPE}[33m`)).toBe(true)
    expect(row).toContain('GET /\\x1b[2J')
  })

  test('counts requests a second, with those of new workers', () => {
    const before = { status: status([worker({ taken: 5 })]), at: 1000 }
    const workers = [worker({ taken: 15 }), worker({ pid: 31, taken: 10 })]
    expect(ratePerSecond({ status: status(workers), at: 3000 }, before)).toBe(10)
    expect(ratePerSecond(before, null)).toBe(null)
  })
})

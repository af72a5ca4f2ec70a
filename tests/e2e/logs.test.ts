import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { receiveDatagrams } from '../support/datagrams.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { hasPython, testPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import type { RunningServer } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'

import { waitFor } from '../support/wait-for.ts'

const APPLICATION = `
import json, logging, sys

log = logging.getLogger("site")
log.handlers = logging.getLogger("gunicorn.error").handlers
log.setLevel(logging.getLogger("gunicorn.error").level)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/raise":
        raise ValueError("wrong")
    if path == "/log":
        log.warning("careful")
    if path == "/print":
        for number in range(200):
            print(json.dumps({"number": number, "text": "x" * 100}))
        print("to stderr", file=sys.stderr)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Mine", 'a"b')])
    return [] if path == "/empty" else [b"hello\\n"]
`

function folderWithApplication(): string {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  writeFileSync(join(directory.path, 'talks.py'), APPLICATION)
  return directory.path
}

const get = (target: string, ...fields: string[]) =>
  `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields
    .map((field) => `${field}\r\n`)
    .join('')}\r\n`

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1)
}

/** An Apache-like line, whose parts the comparison splits apart. */
const ATOMS = [
  ...['h', 'l', 'u', 'r', 'm', 'U', 'q', 'H', 's', 'B', 'f', 'a'].map((atom) => `%(${atom})s`),
  '%({X-One}i)s',
  '%({x-mine}o)s',
  '%({content-type}o)s',
  '%({server_protocol}e)s',
  '%({request_method}e)s',
  '%({http_x_one}e)s',
  '%({raw_uri}e)s',
  '%({absent}i)s',
  '%(B)05d',
  '%(m)-6s',
  '%%',
]

const REQUESTS = [
  get('/a?b=c', 'X-One: 1', 'User-Agent: tests', 'Referer: http://r/'),
  get('/x?q=1', 'Authorization: Basic YW5uOnNlY3JldA==', 'X-One: 2', 'User-Agent: "q"'),
  get('/empty?z=1', 'X-One: 3', 'User-Agent: u', 'Referer: r'),
  get('/raise?z=1', 'X-One: 4', 'User-Agent: u', 'Referer: r'),
  'HEAD /head?z=1 HTTP/1.1\r\nHost: a\r\nX-One: 5\r\nConnection: close\r\n\r\n',
]

describe.skipIf(!hasPython())('logs', () => {
  test('are JSON on every line, whatever a client sends', async () => {
    const cwd = folderWithApplication()
    const access = join(cwd, 'access.log')
    const server = await startServer({
      app: 'talks:app',
      cwd,
      args: [
        ...['--access-logfile', access, '--access-logformat', 'json'],
        ...['--access-log-skip', '/healthz,/livez/*'],
        ...['--error-logformat', 'json', '--capture-output', 'lines'],
      ],
    })
    const hostile = [
      Buffer.from(get('/a%00b?c="d"\\', 'User-Agent: "\\x\t', 'Referer: \u00e9\u20ac'), 'utf8'),
      Buffer.from(
        get('/\xff\xfe?\x80', 'User-Agent: \xff\xc3(', 'Authorization: Basic 4g'),
        'latin1',
      ),
      Buffer.from('GET /\x01\x1b[31m HTTP/1.1\r\n\r\n', 'latin1'),
      Buffer.from('\x00\xff\r\n\r\n', 'latin1'),
      Buffer.from(get('/raise'), 'latin1'),
      Buffer.from(get('/log'), 'latin1'),
      Buffer.from(get('/print'), 'latin1'),
    ]
    for (const target of ['/healthz?now', '/livez/db']) await exchangeOnce(server, get(target))
    for (const request of hostile) await exchangeOnce(server, request)
    await server.waitForLog(/to stderr/)
    await server.stop()
    const records = linesOf(access).map((line) => JSON.parse(line))
    expect(records).toHaveLength(hostile.length)
    for (const line of linesOf(access)) expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(records[0]).toMatchObject({
      path: '/a%00b',
      query: 'c="d"\\',
      status: 200,
      bytes: 6,
      user_agent: '"\\x',
      referer: '\u00e9\u20ac',
      remote_addr: '127.0.0.1',
      user: null,
    })
    expect(records[1]).toMatchObject({ path: '/\xff\xfe', query: '\x80', user_agent: '\xff\xc3(' })
    expect(records.slice(2, 5).map(({ status }) => status)).toEqual([400, 400, 500])

    const entries = server
      .stderr()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const failed = entries.find(({ traceback }) => traceback !== undefined)
    expect(failed).toMatchObject({ level: 'error', message: expect.stringContaining('/raise') })
    expect(failed.traceback).toMatch(/^Traceback \(most recent call last\):\n(.|\n)*: wrong$/)
    expect(entries.filter(({ message }) => message === 'careful')).toMatchObject([
      { level: 'warning', pid: expect.any(Number) },
    ])
    const printed = entries.filter(({ stream }) => stream === 'stdout')
    expect(printed.map(({ message }) => JSON.parse(message).number)).toEqual([...Array(200).keys()])
  })

  test('have the atoms, syslog messages and metrics that Gunicorn has', async () => {
    const cwd = folderWithApplication()
    const run = async (name: string, start: typeof startServer) => {
      const syslog = await receiveDatagrams()
      const statsd = await receiveDatagrams()
      const file = join(cwd, `${name}.log`)
      const server: RunningServer = await start({
        app: 'talks:app',
        cwd,
        args: [
          ...['--access-logfile', file, '--access-logformat', ATOMS.join('\u0009')],
          ...['--log-syslog', '--log-syslog-to', `udp://${syslog.address}`],
          ...['--log-syslog-prefix', 'shop', '--log-syslog-facility', 'local3'],
          ...['--statsd-host', statsd.address, '--statsd-prefix', 'site.'],
          ...['--dogstatsd-tags', 'env:test,tier:1', '--workers', '2', '--enable-backlog-metric'],
        ],
      })
      for (const request of REQUESTS) await exchangeOnce(server, request)
      const metrics = () => statsd.received.flatMap((datagram) => datagram.split('\n'))
      await waitFor('the metrics', () => {
        const text = metrics().join('\n')
        return durations(metrics()).length === REQUESTS.length && /backlog:0\|h/.test(text)
      })
      await server.stop()
      await waitFor('the messages', () => accessMessages(syslog.received).length >= REQUESTS.length)
      return { lines: linesOf(file), syslog: syslog.received, metrics: metrics() }
    }
    const theirs = await run('theirs', startGunicorn)
    const ours = await run('ours', startServer)

    // Both write a line when the response has been sent, which may be after the next request.
    const columns = ({ lines }: { lines: string[] }) =>
      lines.map((line) => line.split('\t')).sort((one, other) => one[12]!.localeCompare(other[12]!))
    const expected = columns(theirs)
    expect(expected).toHaveLength(REQUESTS.length)
    expect(columns(ours).map((line) => line[3])).toEqual(expected.map((line) => line[3]))
    expect(columns(ours).map((line) => line[8])).toEqual(expected.map((line) => line[8]))
    // The rest of an error page's line differs: Gunicorn's path is `None`, and its page another.
    const whole = (lines: string[][]) => lines.filter((line) => line[8] !== '500')
    expect(whole(columns(ours))).toEqual(whole(expected))

    expect(textsOf(ours.syslog)).toEqual(textsOf(theirs.syslog))
    const shape = /^<158>gunicorn\.shop\.access: \[\d+\] 127\.0\.0\.1\t.*\0$/s
    for (const message of [...accessMessages(theirs.syslog), ...accessMessages(ours.syslog)])
      expect(message).toMatch(shape)
    const error = /^<155>gunicorn\.shop\.error: \[\d+\] Error handling request .*\nTraceback.*\0$/s
    expect(theirs.syslog.some((message) => error.test(message))).toBe(true)
    expect(ours.syslog.some((message) => error.test(message))).toBe(true)

    expect(summary(ours.metrics)).toEqual(summary(theirs.metrics))
  })

  test('an application that formats its own output has nothing around it with capture-output raw', async () => {
    const server = await startServer({
      app: 'talks:app',
      cwd: folderWithApplication(),
      args: ['--capture-output', 'raw', '--workers', '2'],
    })
    const requests = Array.from({ length: 6 }, () => exchangeOnce(server, get('/print')))
    await Promise.all(requests)
    await server.stop()
    const lines = server
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(1200)
    expect(lines.filter(({ number }) => number === 7)).toHaveLength(6)
    expect(server.stderr().match(/^to stderr$/gm)).toHaveLength(6)
  })

  test('reach a unix socket for datagrams', async () => {
    const cwd = folderWithApplication()
    const path = join(cwd, 'log.sock')
    const receiver = spawn(
      testPython().executable,
      [
        '-c',
        'import socket, sys\n' +
          's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])\n' +
          'print("bound", flush=True)\n' +
          'while True: print(ascii(s.recv(65536)), flush=True)',
        path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    onTestFinished(async () => {
      receiver.kill()
      await once(receiver, 'exit')
    })
    let received = ''
    receiver.stdout.on('data', (data) => {
      received += data
    })
    await waitFor('the receiver', () => received.includes('bound'))
    const server = await startServer({
      app: 'talks:app',
      cwd,
      args: ['--log-syslog', '--log-syslog-to', `unix://${path}`],
    })
    await exchangeOnce(server, get('/found?1'))
    await server.stop()
    // What was logged last is there too: the relay sends everything before it ends.
    await waitFor('the messages', () => received.includes('] Stopped'))
    expect(received).toMatch(
      /b'<14>gunicorn\.talks\.app\.access: \[\d+\] 127.* "GET \/found\?1 HTTP/,
    )
    expect(received).toMatch(/b'<14>gunicorn\.talks\.app\.error: \[\d+\] Listening at http:/)
  })

  test('a pipe that nobody reads holds up neither requests nor the end', async () => {
    const cwd = folderWithApplication()
    const pipe = join(cwd, 'pipe')
    execFileSync('mkfifo', [pipe])
    // Reads nothing; and lets the server open its end.
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
    onTestFinished(() => closeSync(reader))
    const format = `%(r)s ${'x'.repeat(8000)}`
    const server = await startServer({
      app: 'talks:app',
      cwd,
      args: ['--access-logfile', pipe, '--access-logformat', format],
    })
    const connection = await RawConnection.open(server)
    for (let i = 0; i < 1500; i++)
      expect((await connection.request('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200)
    const began = performance.now()
    connection.socket.destroy()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(server.log()).toMatch(/Cannot write the access log: its reader is too slow/)
    const lost = Number(
      /(\d+) lines of the access log could not be written/.exec(server.log())?.[1],
    )
    expect(lost).toBeGreaterThan(1000)
    expect(lost).toBeLessThan(1500)
  })
})

/** The messages about requests, without those about the server. */
function accessMessages(messages: readonly string[]): string[] {
  return messages.filter((message) => message.includes('.access: '))
}

/** The same without process ids, and without the request whose error page differs. */
function textsOf(messages: readonly string[]): string[] {
  return accessMessages(messages)
    .filter((message) => !message.includes('/raise'))
    .map((message) => message.replace(/\[\d+\]/, '[PID]'))
    .sort()
}

function durations(metrics: readonly string[]): string[] {
  return metrics.filter((metric) => metric.includes('request.duration'))
}

/** Each metric's name, type and tags, with the sum of a counter or the last value of a gauge. */
function summary(metrics: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const metric of metrics) {
    const [, name, value, kind] = /^([^:]+):([^|]+)\|(.*)$/s.exec(metric)!
    const key = `${name} ${kind}`
    if (kind!.startsWith('c')) found[key] = (found[key] ?? 0) + Number(value)
    else if (kind!.startsWith('g')) found[key] = Number(value)
    else found[key] = Number.isFinite(Number(value)) ? 1 : 0
  }
  return found
}

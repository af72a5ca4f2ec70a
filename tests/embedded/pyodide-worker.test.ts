import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { patternedBytes, temporaryDirectory } from '../support/applications.ts'
import { metricsAddress, scrape } from '../support/metrics.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// What an application finds in an embedded worker, and what becomes of it when something goes
// wrong.

const APPLICATION = `
import asyncio, json, logging, os, sys, threading, time
from datetime import datetime, timezone

def application(environ, start_response):
    answer = ROUTES[environ["PATH_INFO"]](environ)
    if not isinstance(answer, str):
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return answer
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [answer.encode()]

def hello(environ):
    return "hello"

def environment(environ):
    return json.dumps({"environ": dict(os.environ), "argv": sys.argv, "executable": sys.executable,
        "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding, open(__file__).encoding.lower()]})

def show_times():
    summer, winter = 1720000000, 1700000000
    return [time.strftime("%H:%M %Z %z", time.localtime(summer)), time.strftime("%H:%M %Z %z", time.localtime(winter)),
        datetime.fromtimestamp(summer, timezone.utc).astimezone().isoformat(), datetime(2024, 7, 1, 12).timestamp(),
        time.mktime((2024, 1, 1, 12, 0, 0, 0, 0, -1)), list(time.tzname), time.timezone, time.altzone, time.daylight]

def times(environ):
    return json.dumps(show_times())

def zones(environ):
    before = os.environ.get("TZ")
    found = {}
    for name in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "XYZ-3", "No/Where"):
        os.environ["TZ"] = name
        time.tzset()
        found[name] = show_times()
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()
    return json.dumps(found)

def say(environ):
    print("printed ünï")
    os.write(1, b"written to 1\\n")
    sys.stderr.write("complained\\n")
    os.write(2, b"written to 2\\n")
    environ["wsgi.errors"].write("to wsgi.errors\\n")
    logging.getLogger("probe").error("logged")
    return "said"

def say_and_die(environ):
    print("last words")
    os._exit(3)

class Odd(BaseException):
    def __str__(self):
        raise ValueError("cannot be shown")

def odd(environ):
    raise Odd

def leave(environ):
    sys.exit("leaving")

def recursion(environ):
    return recursion(environ)

def nested_json(environ):
    json.loads("[" * 100000)

def nested_dump(environ):
    value = []
    for _ in range(100000):
        value = [value]
    json.dumps(value)

def nested_source(environ):
    compile("-" * 100000 + "1", "deep", "exec")

def javascript(environ):
    from pyodide.code import run_js
    run_js("throw new Error('thrown by JavaScript')")

def rejection(environ):
    from pyodide.code import run_js
    run_js("Promise.reject(new Error('nobody catches this')); console.error(new Error('told to the console'))")
    return "rejected"

def overflow(environ):
    from pyodide.code import run_js
    run_js("(function deeper() { deeper() })()")

def abort(environ):
    os.abort()

def stray_pointer(environ):
    import ctypes
    ctypes.string_at(0xfffffff0)

def signal_itself(environ):
    import signal
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    return "still here"

def endless(environ):
    try:
        while True:
            pass
    finally:
        print("cleaned up")

def asleep(environ):
    time.sleep(60)

def stubborn(environ):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

def compiled(environ):
    sum(iter(int, 1))

def printing(environ):
    while True:
        print("x" * 999)

def complaining(environ):
    while True:
        environ["wsgi.errors"].write("x" * 999 + "\\n")

def repeating(environ):
    passes = range(int(environ["QUERY_STRING"]))
    while True:
        for _ in passes:
            pass
        environ["wsgi.errors"].write("x" * 99 + "\\n")

def half(environ):
    def body():
        try:
            yield b"first"
            while True:
                pass
        finally:
            print("closed")
    return body()

def patient(environ):
    began = time.monotonic()
    time.sleep(0.2)
    return str(time.monotonic() - began)

def ticks(environ):
    def body():
        try:
            while True:
                yield b"tick"
                time.sleep(0.02)
        finally:
            print("ticks closed")
    return body()

def greedy(environ):
    taken = []
    while True:
        taken.append(bytearray(8 * 1024 * 1024))

kept = []

def leak(environ):
    kept.append(bytearray(8 * 1024 * 1024))
    return str(len(kept))

def coroutines(environ):
    async def slow(value):
        await asyncio.sleep(0.05)
        return value
    async def main():
        async with asyncio.timeout(5):
            return await asyncio.gather(slow("a"), slow("b"), asyncio.to_thread(lambda: "c"))
    try:
        asyncio.get_running_loop()
        return "a loop passes for running"
    except RuntimeError:
        return "".join(asyncio.run(main()))

def absent(environ):
    import multiprocessing, socket, subprocess, urllib.request
    found = {}
    def attempt(name, what):
        try:
            found[name] = f"no error: {what()!r}"
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    attempt("thread", lambda: threading.Thread(target=print).start())
    attempt("connect", lambda: socket.create_connection(("127.0.0.1", 9), timeout=5))
    attempt("name", lambda: socket.getaddrinfo("monoceros.invalid", 80))
    attempt("urllib", lambda: urllib.request.urlopen("http://127.0.0.1:9/", timeout=5))
    attempt("system", lambda: os.system("echo out"))
    attempt("subprocess", lambda: subprocess.run(["echo", "out"]))
    attempt("fork", os.fork)
    attempt("process", lambda: multiprocessing.Process(target=print).start())
    attempt("future", lambda: asyncio.run(forever()))
    return json.dumps(found)

async def forever():
    await asyncio.get_running_loop().create_future()

def memory_file(environ):
    with open("/home/pyodide/data", "wb") as file:
        file.write(b"m" * 300000)
    return environ["wsgi.file_wrapper"](open("/home/pyodide/data", "rb"))

def disk_file(environ):
    return environ["wsgi.file_wrapper"](open("data.bin", "rb"))

def about(environ):
    return json.dumps([environ["wsgi.multithread"], environ["wsgi.multiprocess"]])

ROUTES = {"/" + name.replace("_", "-"): value for name, value in list(globals().items()) if callable(value)}
`

const directory = temporaryDirectory()
writeFileSync(join(directory.path, 'probe.py'), APPLICATION)
afterAll(directory.remove)

function serve(
  args: string[],
  env: Record<string, string | undefined> = {},
): Promise<RunningServer> {
  return startServer({
    app: 'probe:application',
    args: ['--runtime', 'pyodide', ...args],
    cwd: directory.path,
    env,
  })
}

async function get(server: RunningServer, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${server.url}${path}`)
  return { status: response.status, text: await response.text() }
}

/**
 * The interpreter answers, or its successor does. On a busy machine that may take longer than the
 * timeout of a test's server.
 */
async function answersAgain(server: RunningServer): Promise<void> {
  const { status, text } = await waitFor('an answer', async () => {
    const answer = await get(server, '/hello')
    return answer.status !== 503 && answer.status !== 504 && answer
  })
  expect([status, text]).toEqual([200, 'hello'])
}

/** Nothing of Pyodide's own source, nor of where in it something was. */
function expectNoJavaScript(log: string): void {
  expect(log).not.toMatch(/wasm-function|pyodide\.asm|node:internal|at Object\./)
  for (const line of log.split('\n')) expect(line.length).toBeLessThan(2000)
}

describe('the environment', () => {
  test('--inherit-env passes the server’s own on, and -e wins', async () => {
    const server = await serve(['--inherit-env', '-e', 'COLOUR=red'], {
      COLOUR: 'blue',
      SECRET_OF_THE_SERVER: 'x',
      HOME: '/home/somebody',
    })
    const { environ } = JSON.parse((await get(server, '/environment')).text)
    expect(environ).toMatchObject({
      COLOUR: 'red',
      SECRET_OF_THE_SERVER: 'x',
      HOME: '/home/somebody',
    })
    // What the server has set for itself.
    expect(Object.keys(environ).filter((name) => /MALLOC|ALLOCATOR/.test(name))).toEqual([])
  })

  test('without a TZ of its own local time is the server’s, and tzset changes it', async () => {
    const server = await serve([], { TZ: 'America/New_York' })
    const times = JSON.parse((await get(server, '/times')).text)
    expect(times.slice(0, 3)).toEqual([
      '05:46 EDT -0400',
      '17:13 EST -0500',
      '2024-07-03T05:46:40-04:00',
    ])
    expect(times.slice(5)).toEqual([['EST', 'EDT'], 18000, 14400, 1])
    const zones = JSON.parse((await get(server, '/zones')).text)
    expect(zones['Europe/Berlin'].slice(0, 2)).toEqual(['11:46 CEST +0200', '23:13 CET +0100'])
    expect(zones['Europe/Berlin'].slice(5)).toEqual([['CET', 'CEST'], -3600, -7200, 1])
    expect(zones['Asia/Kolkata'].slice(5)).toEqual([['IST', 'IST'], -19800, -19800, 0])
    // Winter in July.
    expect(zones['Australia/Sydney'].slice(0, 2)).toEqual(['19:46 AEST +1000', '09:13 AEDT +1100'])
    expect(zones['Australia/Sydney'][4]).toBe(Date.UTC(2024, 0, 1, 1) / 1000)
    expect(zones['XYZ-3'].slice(0, 2)).toEqual(['12:46 XYZ +0300', '01:13 XYZ +0300'])
    expect(zones['No/Where'][0]).toMatch(/^09:46 \S+ \+0000$/)
    expect(JSON.parse((await get(server, '/times')).text)).toEqual(times)
  })
})

describe('one worker', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await serve(['-e', 'COLOUR=grün', '-e', 'TZ=Europe/Berlin'], {
      SECRET_OF_THE_SERVER: 'x',
    })
  })

  test('os.environ has what -e gives and a home, and nothing of the server', async () => {
    const found = JSON.parse((await get(server, '/environment')).text)
    expect(found.environ).toEqual({
      COLOUR: 'grün',
      TZ: 'Europe/Berlin',
      HOME: '/home/pyodide',
      LANG: 'C.UTF-8',
      // Python would find /tmp by itself, and have it in memory.
      ...(tmpdir() === '/tmp' ? {} : { TMPDIR: tmpdir() }),
    })
    expect(found.executable).toBe('')
    expect(found.encodings).toEqual(['utf-8', 'utf-8', 'utf-8'])
    const [summer, winter, iso, stamp] = JSON.parse((await get(server, '/times')).text)
    expect([summer, winter]).toEqual(['11:46 CEST +0200', '23:13 CET +0100'])
    expect(iso).toBe('2024-07-03T11:46:40+02:00')
    expect(stamp).toBe(Date.UTC(2024, 6, 1, 10) / 1000)
  })

  test('what is written anywhere comes to the error log, line by line and in order', async () => {
    const from = server.log().length
    expect((await get(server, '/say')).text).toBe('said')
    await server.waitForLog(/logged/, { from })
    const lines = [
      ...server
        .log()
        .slice(from)
        .matchAll(/\[(stdout|stderr)\] (.*)/g),
    ].map((match) => `${match[1]} ${match[2]}`)
    expect(lines).toEqual([
      'stdout printed ünï',
      'stdout written to 1',
      'stderr complained',
      'stderr written to 2',
      'stderr to wsgi.errors',
      'stderr logged',
    ])
  })

  test.each([
    ['/odd', /Odd: <exception str\(\) failed>|traceback cannot be shown/],
    ['/leave', /SystemExit: leaving/],
    ['/recursion', /RecursionError: maximum recursion depth exceeded/],
    ['/nested-json', /RecursionError|JSONDecodeError/],
    ['/nested-source', /MemoryError: Parser stack overflowed|RecursionError/],
    ['/javascript', /JsException: Error: thrown by JavaScript/],
    ['/overflow', /Maximum call stack size exceeded/],
    ['/absent-route', /KeyError: '\/absent-route'/],
  ])('%s ends in a traceback and a 500, and the interpreter goes on', async (path, expected) => {
    const from = server.log().length
    const { status, text } = await get(server, path)
    expect(status).toBe(500)
    expect(text).toBe('500 Internal Server Error\n')
    await server.waitForLog(expected, { from })
    const log = server.log().slice(from)
    expect(log).toContain(`Error handling request "GET ${path} HTTP/1.1"`)
    expect(log).toContain('Traceback (most recent call last)')
    expectNoJavaScript(log)
    await answersAgain(server)
    expect(server.log().slice(from)).not.toContain('broke down')
  })

  test('deep nesting that Python can bear is no error, and does not end the interpreter', async () => {
    const from = server.log().length
    expect([200, 500]).toContain((await get(server, '/nested-dump')).status)
    await answersAgain(server)
    expect(server.log().slice(from)).not.toContain('broke down')
  })

  test('a rejected promise ends nothing, and the console’s errors are lines', async () => {
    const from = server.log().length
    expect((await get(server, '/rejection')).text).toBe('rejected')
    await server.waitForLog(/told to the console/, { from })
    await answersAgain(server)
    expectNoJavaScript(server.log().slice(from))
  })

  test('signals that an application sends itself do nothing, as in a process', async () => {
    expect((await get(server, '/signal-itself')).text).toBe('still here')
  })

  test('time.sleep takes its time', async () => {
    const slept = Number((await get(server, '/patient')).text)
    expect(slept).toBeGreaterThanOrEqual(0.2)
  })

  test.each([
    ['/say-and-die', /ended with status 3/, null],
    ['/abort', /broke down: it aborted itself.* \[MONO5001\]/, 'in abort'],
    ['/stray-pointer', /broke down: an invalid access to memory/, 'in stray_pointer'],
  ])('%s is a 502, and another worker takes its place', async (path, expected, place) => {
    const from = server.log().length
    expect((await get(server, path)).status).toBe(502)
    await server.waitForLog(expected, { from })
    await answersAgain(server)
    const log = server.log().slice(from)
    if (place !== null)
      expect(log).toMatch(new RegExp(`down \\[MONO5010\\]\\. .*:\n(?: .*\n)*?.*${place}`))
    if (path === '/say-and-die')
      expect(log.indexOf('last words')).toBeLessThan(log.search(expected))
    expect(log.indexOf('last words') >= 0).toBe(path === '/say-and-die')
    expectNoJavaScript(log)
  })

  test('an endless response learns at once that its client has gone', async () => {
    const from = server.log().length
    const leaving = new AbortController()
    const response = await fetch(`${server.url}/ticks`, { signal: leaving.signal })
    await response.body?.getReader().read()
    leaving.abort()
    // Long before the window is full: a tick is four bytes.
    await server.waitForLog(/ticks closed/, { from })
    await answersAgain(server)
  })

  test('coroutines run in an event loop of the worker’s own', async () => {
    expect((await get(server, '/coroutines')).text).toBe('abc')
  })

  test('what there is not says so, and nothing hangs', async () => {
    const found = JSON.parse((await get(server, '/absent')).text)
    expect(found).toMatchObject({
      thread: "RuntimeError: can't start new thread",
      connect: expect.stringMatching(/^OSError: .*has no network/),
      name: expect.stringMatching(/^gaierror: .*has no network/),
      urllib: expect.stringMatching(/^URLError: .*has no network/),
      system: expect.stringMatching(/^OSError: .*cannot run other programs/),
      subprocess: expect.stringMatching(/^OSError/),
      fork: expect.stringMatching(/^OSError/),
      future: expect.stringMatching(/^RuntimeError: .*would wait forever/),
    })
    expect(found.process).toMatch(/Error/)
    expect(server.log()).not.toMatch(/^out$/m)
  })

  test('files are sent from where they are: the disk, or the interpreter’s memory', async () => {
    const bytes = patternedBytes(400_000)
    writeFileSync(join(directory.path, 'data.bin'), bytes)
    const onDisk = await fetch(`${server.url}/disk-file`)
    expect(bytes.equals(Buffer.from(await onDisk.arrayBuffer()))).toBe(true)
    expect((await get(server, '/memory-file')).text).toBe('m'.repeat(300_000))
  })

  test('one worker of one thread says so', async () => {
    expect(JSON.parse((await get(server, '/about')).text)).toEqual([false, false])
  })
})

describe('one worker with a second for each request', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await serve(['--timeout', '1'])
  })

  test.each([
    ['/endless', /cleaned up/],
    ['/asleep', /ran out of time/],
  ])(
    '%s is answered 504, with the application’s stack in one entry, and interrupted',
    async (path, expected) => {
      const from = server.log().length
      expect((await get(server, path)).status).toBe(504)
      await server.waitForLog(expected, { from })
      await answersAgain(server)
      const log = server.log().slice(from)
      const name = path.slice(1)
      expect(log).toContain(
        `GET ${path}: the request ran out of time [MONO4011]. ` +
          'Stack (most recent call last):\n  File ',
      )
      expect(log).toContain(`in ${name}`)
      expect(log).not.toMatch(
        /exchange\.py|response_sender\.py|serial\.py|embedded\w*\.py|_pyodide/,
      )
      expect(log).not.toMatch(/Killing (the )?worker/)
    },
  )

  test.each(['/printing', '/complaining'])(
    '%s without end neither keeps the acceptor from its timeouts nor fills its memory',
    async (path) => {
      const from = server.log().length
      const before = performance.now()
      expect((await get(server, path)).status).toBe(504)
      // The timeout is one second. Without a limit it was never answered, and some 50 MB more were
      // kept for each second.
      expect(performance.now() - before).toBeLessThan(10_000)
      await server.waitForLog(/ran out of time/, { from })
      await answersAgain(server)
    },
  )

  // The interpreter looks for signals at each fiftieth place of the code, so whether it meets the
  // application or the gateway depends on the length of a loop.
  test.each([0, 1, 8, 23])('a loop is interrupted that calls the gateway: %s passes', async (n) => {
    const from = server.log().length
    expect((await get(server, `/repeating?${n}`)).status).toBe(504)
    await server.waitForLog(/ran out of time/, { from })
    await answersAgain(server)
    expect(server.log().slice(from)).not.toContain('cannot be interrupted')
  })

  test('a half sent response is cut off by a timeout, and its iterable closed', async () => {
    const from = server.log().length
    const response = await fetch(`${server.url}/half`)
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow()
    await server.waitForLog(/closed/, { from })
    await answersAgain(server)
  })

  test.each([
    ['/stubborn', 'is still running after it was interrupted'],
    ['/compiled', 'cannot be interrupted and its stack is not available'],
  ])(
    '%s does not yield: its worker is ended, the log says why, and another takes its place',
    async (path, expected) => {
      const from = server.log().length
      expect((await get(server, path)).status).toBe(504)
      await server.waitForLog(new RegExp(expected), { from })
      await server.waitForLog(/Worker \d+ serves/, { from })
      await answersAgain(server)
    },
  )
})

test('memory is limited: MemoryError and a 500, and the worker goes on', async () => {
  const server = await serve(['--worker-memory', '96M', '--workers', '2'])
  expect(JSON.parse((await get(server, '/about')).text)).toEqual([false, true])
  for (let attempt = 0; attempt < 3; attempt++)
    expect((await get(server, '/greedy')).status).toBe(500)
  await server.waitForLog(/close to its limit \(worker_memory 96 MiB\).* \[MONO5009\]/)
  await waitFor('three tracebacks', () => server.log().match(/^MemoryError$/gm)?.length === 3)
  await server.waitForLog(/The interpreter's memory has grown to \d+ MiB/)
  await answersAgain(server)
  expect(server.log()).not.toContain('broke down')
})

test('a worker whose application keeps all of its memory is replaced, and no request is lost', async () => {
  const server = await serve(['--worker-memory', '128M', '--metrics-bind', '127.0.0.1:0'])
  const address = await metricsAddress(server)
  // Those that find no space are answered 500 until the worker is old enough to be replaced, and
  // then there is space again.
  const answers: string[] = []
  await waitFor(
    'space again',
    async () => {
      const { status, text } = await get(server, '/leak')
      expect([200, 500]).toContain(status)
      answers.push(status === 200 ? text : 'full')
      return answers.includes('full') && text === '1'
    },
    90_000,
  )
  expect(answers.slice(0, 2)).toEqual(['1', '2'])
  const log = await server.waitForLog(
    /Worker 2 replaces worker 1, which has no memory left \(worker_memory 128 MiB\)/,
  )
  expect(log).not.toContain('broke down')
  await waitFor('its end by its cause', async () => {
    const now = await scrape(address)
    return now.sum('monoceros_worker_ends_total', { cause: 'exhausted' }) === 1
  })
})

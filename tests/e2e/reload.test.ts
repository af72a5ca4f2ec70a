import { existsSync, readdirSync, readFileSync, readlinkSync, utimesSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EditedProject } from '../support/edited-project.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// What a browser makes of all this is in tests/release/reload.test.ts.

const PAGE_REQUEST = { 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-Mode': 'navigate' }

/** Asks until the answer has a text; every answer on the way is a whole one. */
async function answers(server: RunningServer, text: string, path = '/'): Promise<Response> {
  return await waitFor(`${path} to answer ${text}`, async () => {
    const response = await fetch(`${server.url}${path}`, { headers: { Accept: 'text/plain' } })
    return (await response.clone().text()).includes(text) && response
  })
}

describe.skipIf(!hasPython())('a Python application that is edited', () => {
  let project: EditedProject
  let server: RunningServer

  beforeAll(async () => {
    project = new EditedProject({
      'app.py': `import words

late = None


def app(environ, start_response):
    if environ["PATH_INFO"] == "/late":
        import late
        body = late.text
    elif environ["PATH_INFO"] == "/extra":
        body = extra
    else:
        body = f"<!doctype html><p>{words.word}</p>"
    body = body.encode()
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]


with open("etc/extra.toml") as file:
    extra = file.read()
`,
      // Broken from the start.
      'words.py': 'word = "one\n',
      'late.py': 'text = "late one"\n',
      'etc/extra.toml': 'extra one',
    })
    server = await startServer({
      app: 'app:app',
      args: ['--reload-browser', '--reload-extra-file', 'etc/*.toml', '--workers', '2'],
      cwd: project.path,
    })
  })

  afterAll(() => project?.remove())

  test('is waited for if it is broken at the start, and its error is the answer', async () => {
    const page = await fetch(server.url, { method: 'POST', body: 'a=b' })
    expect(page.status).toBe(500)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const html = await page.text()
    expect(html).toContain('<h1>SyntaxError: unterminated string literal')
    expect(html).toContain(`${project.path}/words.py:1`)
    const json = await fetch(`${server.url}/any`, { headers: { Accept: 'application/json' } })
    expect(await json.json()).toMatchObject({
      error: expect.stringContaining('SyntaxError'),
      traceback: expect.stringContaining('Traceback (most recent call last):'),
    })
    // Another site that has its name point here must not read it.
    const connection = await RawConnection.open(server)
    const rebound = await connection.request('GET / HTTP/1.1\r\nHost: a.example.com\r\n\r\n')
    expect(rebound.status).toBe(500)
    expect(rebound.text).not.toContain('SyntaxError')
    project.edit('words.py', '"one', '"one"')
    await answers(server, 'one')
  })

  test('serves its new version, twice within a second, and tells browsers', async () => {
    const events = await listen(`${server.url}/__monoceros/reload`)
    project.edit('words.py', 'one', 'two')
    await answers(server, 'two')
    project.edit('words.py', 'two', 'six')
    await answers(server, 'six')
    const version = await waitFor('a newer version', () => {
      const [first, ...later] = events.versions()
      return later.find((other) => other > first!)
    })
    events.end()
    const page = await fetch(server.url, { headers: PAGE_REQUEST })
    const html = await page.text()
    const [element, inPage] =
      /\n<script src="\/__monoceros\/reload.js\?v=(\d+)" async><\/script>\n/.exec(html)!
    expect(Number(inPage)).toBeGreaterThanOrEqual(version)
    expect(html).toBe(`<!doctype html><p>six</p>${element}`)
    expect(page.headers.get('content-length')).toBe(String(html.length))
    const head = await fetch(server.url, { headers: PAGE_REQUEST, method: 'HEAD' })
    expect(head.headers.get('content-length')).toBe(String(html.length))
    const fetched = await fetch(server.url, { headers: { 'Sec-Fetch-Dest': 'empty' } })
    expect(await fetched.text()).toBe('<!doctype html><p>six</p>')
  })

  test('is loaded again for a module that a request has imported, and for extra files', async () => {
    await answers(server, 'late one', '/late')
    project.edit('late.py', 'late one', 'late two')
    await answers(server, 'late two', '/late')
    project.edit('etc/extra.toml', 'one', 'two')
    await answers(server, 'extra two', '/extra')
  })

  test('answers nothing of its old version while it is broken, and is mended', async () => {
    project.rename('words.py', 'terms.py')
    const response = await answers(server, "No module named 'words'")
    expect(response.status).toBe(500)
    expect((await fetch(`${server.url}/late`)).status).toBe(500)
    project.rename('terms.py', 'words.py')
    await answers(server, 'six')
  })

  test('is loaded once for many changes, and not for a file that is only touched', async () => {
    const from = server.log().length
    const reloads = () =>
      server
        .log()
        .slice(from)
        .match(/changed: reloading/g)?.length ?? 0
    const now = new Date()
    utimesSync(join(project.path, 'late.py'), now, now)
    for (let number = 0; number < 50; number++) project.write(`part${number}.py`, 'x = 1\n')
    await server.waitForLog(/part\d+\.py.* changed: reloading/, { from })
    await server.waitForLog(/\] Reloaded/, { from })
    // Usually it is one. On a busy machine the watcher may pause between two of them.
    expect(reloads()).toBeLessThan(10)
    expect(server.log().slice(from)).not.toContain('late.py')
  })

  test('loses no request while it is reloaded', async () => {
    const failures: string[] = []
    let words = ['six', 'ten']
    const load = loadOf(server, failures)
    for (let round = 0; round < 3; round++) {
      project.editAtOnce('words.py', words[0]!, words[1]!)
      await answers(server, words[1]!)
      words = words.toReversed()
    }
    await load.end()
    expect(failures).toEqual([])
  })
})

test.skipIf(!hasPython())('a first load that never ends is given up for a change', async () => {
  const project = new EditedProject({
    'app.py': `import time

open("begun", "w").close()
time.sleep(1000)


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"mended"]
`,
  })
  onTestFinished(project.remove)
  const starting = startServer({ app: 'app:app', args: ['--reload'], cwd: project.path })
  await waitFor('the load to begin', () => existsSync(join(project.path, 'begun')))
  project.edit('app.py', 'time.sleep(1000)\n', '')
  const server = await starting
  expect(await (await fetch(server.url)).text()).toBe('mended')
  expect(server.log()).toContain('app.py has changed: starting again')
})

describe('a TypeScript application that is edited', () => {
  test('serves its new version, loses no request, and answers with its errors', async () => {
    const project = new EditedProject({
      'package.json': '{ "type": "module" }\n',
      'app.ts': `import { word } from './words.ts'

type StartResponse = (status: string, headers: [string, string][]) => void

export default async (environ: { PATH_INFO: string }, startResponse: StartResponse) => {
  const text = environ.PATH_INFO === '/late' ? (await import('./late.ts')).text : word
  startResponse('200 OK', [['Content-Type', 'text/html; charset=utf-8']])
  return [Buffer.from(\`<!doctype html><p>\${text}</p>\`)]
}
`,
      'words.ts': 'export const word: string = "one"\n',
      'late.ts': 'export const text: string = "late one"\n',
    })
    const server = await startServer({
      app: './app.ts',
      args: ['--reload-browser'],
      cwd: project.path,
    })
    const failures: string[] = []
    const load = loadOf(server, failures)
    await answers(server, 'one')
    project.editAtOnce('words.ts', 'one', 'two')
    await answers(server, 'two')
    project.editAtOnce('words.ts', 'two', 'six')
    await answers(server, 'six')
    await load.end()
    expect(failures).toEqual([])
    project.edit('words.ts', 'export', 'throw new TypeError("no such word")\nexport')
    const response = await answers(server, 'TypeError: no such word')
    expect(response.status).toBe(500)
    expect(await response.text()).toContain(`${project.path}/words.ts:1`)
    project.edit('words.ts', 'throw new TypeError("no such word")\n', '')
    await answers(server, 'six')
    await answers(server, 'late one', '/late')
    await waitFor('a module that a request has imported to be watched', () => {
      // That is a moment later. When its change was noticed, another one would begin again.
      if (server.log().includes('late.ts has changed')) return true
      project.write('late.ts', `export const text: string = "late ${performance.now()}"\n`)
      return false
    })
    await waitFor('it to be loaded again', async () => {
      return /late \d/.test(await (await fetch(`${server.url}/late`)).text())
    })
    project.remove()
  })
})

describe.skipIf(!hasPython())('an application in production', () => {
  test('is not watched, and its pages get nothing', async () => {
    const project = new EditedProject({
      'app.py': `def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<p>one</p>"]
`,
    })
    const server = await startServer({ app: 'app:app', cwd: project.path })
    const page = await fetch(server.url, { headers: PAGE_REQUEST })
    expect(await page.text()).toBe('<p>one</p>')
    expect((await fetch(`${server.url}/__monoceros/reload.js`)).headers.get('content-type')).toBe(
      'text/html',
    )
    expect(watchesOf(server.pid)).toBe(0)
    project.remove()
  })
})

/** How many files and folders a process watches. */
function watchesOf(pid: number): number {
  let watches = 0
  for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
    try {
      if (readlinkSync(`/proc/${pid}/fd/${descriptor}`) !== 'anon_inode:inotify') continue
      const facts = readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8')
      watches += facts.match(/^inotify/gm)?.length ?? 0
    } catch {
      // Closed in the meantime.
    }
  }
  return watches
}

/** Listens to a stream of events, as a page does. */
async function listen(url: string): Promise<{ versions(): number[]; end(): void }> {
  let text = ''
  const request = get(url)
  await new Promise<void>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('error', () => {})
      resolve()
    })
  })
  return {
    versions: () => [...text.matchAll(/event: version\ndata: (\d+)/g)].map(([, n]) => Number(n)),
    end: () => request.destroy(),
  }
}

/** Requests all the time, on connections that are kept and on new ones. */
function loadOf(server: RunningServer, failures: string[]): { end(): Promise<void> } {
  let running = true
  let answered = 0
  const note = (status: number) => {
    answered++
    if (status !== 200) failures.push(`status ${status}`)
  }
  const kept = async () => {
    let client = await KeepAliveClient.open(server)
    while (running) {
      const { status, closes } = await client.request('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
      note(status)
      if (closes) client = await KeepAliveClient.open(server)
    }
    client.close()
  }
  const single = async () => {
    while (running) note((await fetch(server.url, { headers: { Connection: 'close' } })).status)
  }
  const loops = [kept(), kept(), single()].map((loop) =>
    loop.catch((error: Error) => failures.push(error.message)),
  )
  return {
    async end() {
      await waitFor('enough answers', () => answered > 50 || failures.length > 0)
      running = false
      await Promise.all(loops)
    },
  }
}

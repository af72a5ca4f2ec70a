import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { appsDirectory, patternedBytes, temporaryDirectory } from '../support/applications.ts'
import { Browser } from '../support/browser.ts'
import { commandPath } from '../support/build.ts'
import { csrfToken } from '../support/csrf-token.ts'
import { copySnapshots } from '../support/interpreter-cache.ts'
import { type Exit, type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// A machine with Node and nothing else: Flask and Django from an empty folder to a served site,
// with the commands and in the order of docs/guides/no-python.md.

const PATIENCE = 600_000
vi.setConfig({ testTimeout: PATIENCE, hookTimeout: PATIENCE })

const machine = temporaryDirectory()
afterAll(machine.remove)
const at = (...names: string[]) => join(machine.path, ...names)
const flaskSite = at('flask')
const djangoSite = at('django')
const superuser = { name: 'ann', password: 'a good horse' }
/** More than the acceptor and Django keep in memory. */
const photo = patternedBytes(3 * 1024 * 1024 + 1)

/**
 * The warnings and errors in its log, but for one about the limit of open files of the machine that
 * runs the tests.
 */
function warnings(server: RunningServer): string[] {
  return (server.log().match(/^.*\[(WARNING|ERROR|CRITICAL)\].*$/gm) ?? []).filter(
    // How long a start takes is the machine's affair.
    (line) => !line.includes('max_connections is lowered') && !line.includes('[MONO2021]'),
  )
}

for (const name of ['bin', 'temporary']) mkdirSync(at(name))
symlinkSync(process.execPath, at('bin', 'node'))
for (const [name, site] of [
  ['flask', flaskSite],
  ['django', djangoSite],
] as const) {
  cpSync(join(appsDirectory, 'no-python', name), site, {
    recursive: true,
    filter: (path) => !path.includes('__pycache__'),
  })
}

/** Of this machine only what pip and the way to its index are set up with. */
const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) =>
    /^(HOME|XDG_CONFIG_HOME|PIP_.*|https?_proxy|no_proxy|all_proxy|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS)$/i.test(
      name,
    ),
  ),
)
Object.assign(environment, {
  PATH: at('bin'),
  // The sites are not in it: what is seen of them is seen because they are the working directory.
  TMPDIR: at('temporary'),
  XDG_CACHE_HOME: at('cache'),
})

copySnapshots(at('cache', 'monoceros'))

type Ended = Exit & { stdout: string; stderr: string }

/** Runs `monoceros` with these arguments to its end. */
function monoceros(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return runToEnd(process.execPath, [commandPath, ...args], {
    cwd,
    env: { ...environment, ...env },
    timeout: PATIENCE,
  })
}

/** The same, for what must succeed; what it printed. */
async function succeed(cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await monoceros(cwd, args, env)
  expect({ args, code, signal, stderr: code === 0 ? '' : stderr }).toEqual({
    args,
    code: 0,
    signal: null,
    stderr: '',
  })
  return stdout
}

function serve(cwd: string, args: string[]): Promise<RunningServer> {
  return runServer({
    command: process.execPath,
    args: [commandPath, '--bind', '127.0.0.1:0', ...args],
    env: environment,
    cwd,
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => /Listening at \S+.*\n/.test(log),
    // Its workers are threads.
    isWorker: () => false,
  })
}

const text = async (response: Promise<Response>): Promise<string> => (await response).text()

let flaskInstalled: string
let flaskInstalledAgain: string
let migrated: string
let collected: string

beforeAll(async () => {
  await Promise.all([
    (async () => {
      flaskInstalled = await succeed(flaskSite, ['install', 'flask'])
      flaskInstalledAgain = await succeed(flaskSite, ['install', 'flask'])
    })(),
    (async () => {
      await succeed(djangoSite, ['install', '-r', 'requirements.txt'])
      migrated = await succeed(djangoSite, ['python', 'manage.py', 'migrate'])
      await succeed(
        djangoSite,
        ['python', 'manage.py', 'createsuperuser', '--noinput', '--email', 'ann@example.org'],
        {
          DJANGO_SUPERUSER_USERNAME: superuser.name,
          DJANGO_SUPERUSER_PASSWORD: superuser.password,
        },
      )
      collected = await succeed(djangoSite, ['python', 'manage.py', 'collectstatic', '--noinput'])
    })(),
  ])
})

test('there is no Python to be found, and nothing that leads to one', () => {
  const found = (environment.PATH ?? '').split(delimiter).flatMap((folder) => readdirSync(folder))
  expect(found).toEqual(['node'])
  expect(
    Object.keys(environment).filter((name) => /^(PYTHON|VIRTUAL_ENV|CONDA|PYENV)/.test(name)),
  ).toEqual([])
  for (const site of [flaskSite, djangoSite]) expect(existsSync(join(site, '.venv'))).toBe(false)
})

describe('Flask', () => {
  test('is installed with what it needs, once, and locked', () => {
    expect(flaskInstalled).toMatch(/^Installed \d+ packages in python_modules .*Flask \d/)
    expect(flaskInstalledAgain).toBe(
      'Nothing to do: the requirements are already satisfied in python_modules\n',
    )
    const lock = readFileSync(join(flaskSite, 'pylock.monoceros.toml'), 'utf8')
    for (const name of ['flask', 'werkzeug', 'jinja2']) expect(lock).toContain(`name = "${name}"`)
    expect(lock.match(/sha256 = "[0-9a-f]{64}"/g)?.length).toBeGreaterThanOrEqual(6)
    // MarkupSafe has compiled wheels only, and can do without.
    const markupsafe = readdirSync(join(flaskSite, 'python_modules', 'markupsafe'))
    expect(markupsafe.filter((name) => /\.(so|pyd)/.test(name))).toEqual([])
    expect(readdirSync(flaskSite).filter((name) => name.startsWith('.'))).toEqual([])
  })

  describe('served by its name alone', () => {
    let server: RunningServer
    beforeAll(async () => {
      server = await serve(flaskSite, ['flaskapp:app'])
    })
    afterAll(() => server?.stop())

    test('the server says that it is the embedded Python, and why', () => {
      expect(server.log()).toMatch(
        /\[INFO\] No Python is installed: the application runs on the embedded one/,
      )
      expect(server.log()).toMatch(
        /Serving flaskapp:app with 1 worker, CPython 3\.\d+\.\d+ \(embedded\)/,
      )
      expect(warnings(server)).toEqual([])
    })

    test('templates, links, a static file, and visits counted in a session', async () => {
      const browser = new Browser(server.url)
      for (const visit of [1, 2, 3]) {
        const page = await text(browser.get('/'))
        expect(page).toContain('<title>Ünïcode & more</title>')
        expect(page).toContain(`<p>Visit ${visit} of &lt;you&gt;</p>`)
        expect(page).toContain('<a href="/greet/Zo%C3%AB">greet</a>')
        expect(page).toContain('href="/static/site.css"')
      }
      expect(await text(browser.get('/greet/Zo%C3%AB'))).toBe('Hello, Zoë')
      const style = await browser.get('/static/site.css')
      expect(style.headers.get('content-type')).toMatch(/^text\/css/)
      expect(await style.text()).toBe(readFileSync(join(flaskSite, 'static', 'site.css'), 'utf8'))
      // Another client has a session of its own.
      expect(await text(new Browser(server.url).get('/'))).toContain('<p>Visit 1 of')
    })

    test('an upload is on the disk, byte for byte', async () => {
      const form = new FormData()
      form.set('file', new Blob([new Uint8Array(photo)]), '../a photo.jpg')
      const response = await new Browser(server.url).post('/upload', form)
      expect(response.status).toBe(302)
      const digest = createHash('sha256').update(photo).digest('hex')
      expect(response.headers.get('location')).toBe(`/greet/${digest}`)
      expect(readFileSync(join(flaskSite, 'uploads', 'a_photo.jpg')).equals(photo)).toBe(true)
    })
  })

  describe('a request that never ends, with two workers', () => {
    let server: RunningServer
    beforeAll(async () => {
      server = await serve(flaskSite, ['--workers', '2', '--timeout', '10', 'flaskapp:app'])
    })
    afterAll(() => server?.stop())

    const source = readFileSync(join(flaskSite, 'flaskapp.py'), 'utf8').split('\n')
    const lineOf = (part: string) => source.findIndex((line) => line.includes(part)) + 1

    /** Which workers answer now: asks until two have. */
    async function bothWorkers(): Promise<Set<string>> {
      const seen = new Set<string>()
      await waitFor(
        'two workers to answer',
        async () => {
          const answers = await Promise.all([1, 2, 3, 4].map(() => fetch(`${server.url}/worker`)))
          for (const answer of answers) {
            const name = await answer.text()
            // A busy machine may take longer than the timeout, and then it is no name.
            if (answer.status === 200) seen.add(name)
          }
          return seen.size >= 2
        },
        60_000,
      )
      return seen
    }

    test.each([
      {
        path: '/loop',
        stack: ['round and round', 'loop'],
        // It can be interrupted, so its worker goes on.
        log: /GET \/loop: the request ran out of time \[MONO4011\]\. Stack/,
        remain: 2,
      },
      {
        path: '/stubborn',
        stack: ['round and round', 'loop'],
        log: /is still running after it was interrupted/,
        remain: 1,
      },
      {
        path: '/compiled',
        // Where in Python it is only its own thread could tell, which does nothing else any more.
        stack: null,
        log: /cannot be interrupted and its stack is not available: it runs compiled code/,
        remain: 1,
      },
    ])(
      '$path: 504, and where it was in the log; the other worker answers all the while, and then two do',
      async ({ path, stack, log, remain }) => {
        const before = await bothWorkers()
        expect(before.size).toBe(2)
        const from = server.log().length
        let ended = false
        const endless = fetch(`${server.url}${path}`).then(async (response) => {
          ended = true
          return { status: response.status, text: await response.text() }
        })
        // Until then its worker may answer, too.
        await server.waitForLog(/^.*\bloops$/m, { from })
        const meanwhile: string[] = []
        while (!ended) {
          const answer = await text(fetch(`${server.url}/worker`))
          if (!ended) meanwhile.push(answer)
        }
        expect((await endless).status).toBe(504)
        // One after the other, each of them while the loop ran: had one waited for it, there would
        // be few.
        expect(meanwhile.length).toBeGreaterThan(20)
        expect(new Set(meanwhile).size).toBe(1)
        expect(before).toContain(meanwhile[0])

        await server.waitForLog(log, { from, timeout: 60_000 })
        if (stack !== null) {
          const [line, name] = stack
          const file = join(flaskSite, 'flaskapp.py')
          const frame = `File "${file}", line ${lineOf(line)}, in ${name}\n`
          await waitFor(
            'the stack in the log',
            () => server.log().slice(from).includes(frame),
            60_000,
          )
        }
        if (remain < 2) await server.waitForLog(/Worker \d+ serves/, { from, timeout: 60_000 })
        const after = await bothWorkers()
        expect([...after].filter((name) => before.has(name))).toHaveLength(remain)
      },
    )
  })
})

describe('Django', () => {
  let server: RunningServer
  beforeAll(async () => {
    server = await serve(djangoSite, ['-w', '2', 'mysite.wsgi:application'])
  })
  afterAll(() => server?.stop())

  async function sign(
    browser: Browser,
    token: string,
    name: string,
    file?: Buffer,
  ): Promise<number> {
    const form = new FormData()
    form.set('csrfmiddlewaretoken', token)
    form.set('name', name)
    if (file) form.set('photo', new Blob([new Uint8Array(file)]), 'sunset.jpg')
    return (await browser.post('/', form)).status
  }

  test('its database and static files were made by manage.py', () => {
    expect(migrated).toMatch(/Applying guests\.0001_initial\.\.\. OK/)
    expect(readFileSync(join(djangoSite, 'db.sqlite3')).toString('latin1', 0, 15)).toBe(
      'SQLite format 3',
    )
    expect(collected).toMatch(/^\s*\d+ static files copied to .*post-processed/)
    // WhiteNoise compresses them by a pool of threads.
    const compressed = readdirSync(join(djangoSite, 'static', 'admin', 'css'))
    expect(compressed).toEqual(
      expect.arrayContaining([expect.stringMatching(/^base\.[0-9a-f]{12}\.css\.gz$/)]),
    )
    const lock = readFileSync(join(djangoSite, 'pylock.monoceros.toml'), 'utf8')
    expect(lock).toMatch(/name = "django"\nversion = "6\.1\.3"/)
  })

  test('the admin: a log-in with its CSRF token, and an entry added in its form', async () => {
    const browser = new Browser(server.url)
    const refused = await browser.get('/admin/')
    expect([refused.status, refused.headers.get('location')]).toEqual([
      302,
      '/admin/login/?next=/admin/',
    ])
    const page = await text(browser.get('/admin/login/?next=/admin/'))
    expect(page).toContain('Benutzername')
    const style = /href="(\/static\/admin\/css\/base\.[0-9a-f]{12}\.css)"/.exec(page)?.[1] ?? page
    expect(await text(browser.get(style))).toContain('DJANGO Admin styles')
    const login = (password: string, token: string) =>
      browser.post(
        '/admin/login/?next=/admin/',
        new URLSearchParams({ username: superuser.name, password, csrfmiddlewaretoken: token }),
      )
    expect((await login(superuser.password, 'forged')).status).toBe(403)
    expect((await login('wrong', csrfToken(page))).status).toBe(200)
    const done = await login(superuser.password, csrfToken(page))
    expect([done.status, done.headers.get('location')]).toEqual([302, '/admin/'])
    expect(await text(browser.get('/admin/'))).toContain('/admin/guests/entry/add/')

    const form = new FormData()
    form.set('csrfmiddlewaretoken', csrfToken(await text(browser.get('/admin/guests/entry/add/'))))
    form.set('name', 'Zoë of the admin')
    const added = await browser.post('/admin/guests/entry/add/', form)
    expect([added.status, added.headers.get('location')]).toEqual([302, '/admin/guests/entry/'])
    expect(await text(browser.get('/admin/guests/entry/'))).toContain('Zoë of the admin')
  })

  test('a session is one on both workers', async () => {
    const browser = new Browser(server.url)
    const workers = new Set<string>()
    let visits = 0
    await waitFor(
      'both workers to count a visit',
      async () => {
        // A second client, now before it and now behind it, has the other worker.
        const visit = [() => browser.get('/visits'), () => fetch(`${server.url}/visits`)]
        if (visits % 2 === 1) visit.reverse()
        const responses = await Promise.all(visit.map((send) => send()))
        const [own, other] = (await Promise.all(
          (visits % 2 === 1 ? responses.reverse() : responses).map((response) => response.json()),
        )) as { visits: number; worker: string }[]
        expect([own?.visits, other?.visits]).toEqual([++visits, 1])
        workers.add(own?.worker ?? '')
        return workers.size === 2 && visits >= 4
      },
      60_000,
    )
  })

  test('a form with a file makes a row and a file on the disk, and what is printed and logged is in the log', async () => {
    const from = server.log().length
    const browser = new Browser(server.url)
    const token = csrfToken(await text(browser.get('/')))
    expect(await sign(browser, token, 'Ünal', photo)).toBe(302)
    expect(readFileSync(join(djangoSite, 'media', 'photos', 'sunset.jpg')).equals(photo)).toBe(true)
    const page = await text(browser.get('/'))
    // The site's time zone.
    const pk = /data-pk="(\d+)">Ünal \(CES?T\)/.exec(page)?.[1]
    expect(pk, page).toBeDefined()
    const download = await browser.get(`/photos/${pk}`)
    expect(download.headers.get('content-type')).toBe('image/jpeg')
    expect(Buffer.from(await download.arrayBuffer()).equals(photo)).toBe(true)
    await server.waitForLog(/\[stdout\] Ünal signed the guest book/, { from })
    await server.waitForLog(new RegExp(`\\[stderr\\] ${photo.length} bytes of Ünal`), { from })
  })

  test('both workers write to the one database at once, and no row is lost', async () => {
    const browser = new Browser(server.url)
    const token = csrfToken(await text(browser.get('/')))
    const names = Array.from({ length: 40 }, (_, number) => `Guest ${number}`)
    const waiting = [...names]
    const statuses: number[] = []
    const from = server.log().length
    const client = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
        statuses.push(await sign(browser, token, name))
    }
    await Promise.all(Array.from({ length: 8 }, client))
    expect(statuses).toEqual(names.map(() => 302))
    const listed = [...(await text(browser.get('/'))).matchAll(/>(Guest \d+) /g)].map(
      (match) => match[1],
    )
    expect(listed.sort()).toEqual(names.sort())
    const writers = () =>
      [
        ...server
          .log()
          .slice(from)
          .matchAll(/\[(\d+)\] \[stdout\] Guest \d+ signed/g),
      ].map((match) => match[1])
    await waitFor('all entries in the log', () => writers().length === names.length, 60_000)
    expect(new Set(writers()).size).toBe(2)

    // And it is all on the disk, whole, for the next process.
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(server.log()).not.toContain('Traceback')
    expect(warnings(server)).toEqual([])
    const count =
      'from django.db import connection; from guests.models import Entry; ' +
      'print(Entry.objects.filter(name__startswith="Guest").count(), ' +
      'connection.cursor().execute("pragma integrity_check").fetchall())'
    expect(
      await succeed(djangoSite, ['python', 'manage.py', 'shell', '-v', '0', '-c', count]),
    ).toBe("40 [('ok',)]\n")
  })
})

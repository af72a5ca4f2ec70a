import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type DatagramReceiver, receiveDatagrams } from '../support/datagrams.ts'
import {
  type Additions,
  ConfiguredServer,
  configurations,
  PUBLIC_PYTHON,
} from '../support/gunicorn-configurations.ts'
import { commandLineOf, isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { waitFor } from '../support/wait-for.ts'

// Gunicorn and we run each of the configurations, and do the same work. What can be seen of it from
// outside is compared: answers, processes, files, logs, hooks.

type Observed = Record<string, unknown>

/** Something that is not the same: what it is in either server, and why. */
interface Difference {
  readonly gunicorn: unknown
  readonly monoceros: unknown
  readonly because: string
}

interface Course {
  readonly file: string
  /** For another run of the same file. */
  readonly with?: string
  readonly additions?: Additions
  observe(it: ConfiguredServer): Promise<Observed>
  readonly differences?: Readonly<Record<string, Difference>>
}

/** The StatsD daemons of the servers, by their folder. */
const daemons = new Map<string, DatagramReceiver>()

/** What a worker sees that both servers are to agree on. */
async function worker(it: ConfiguredServer, path = '/facts', ...fields: string[]) {
  const { user, groups, umask, folder, flags, environ } = await it.facts(path, ...fields)
  const { SERVER_SOFTWARE, REMOTE_PORT, SERVER_PORT, REQUEST_URI, HTTPS, ...same } = environ
  return { user, groups, umask, folder, ...flags, ...same }
}

/** How many processes answer. */
async function workers(it: ConfiguredServer, count: number): Promise<number> {
  const found = new Set((await it.everyWorker(count)).map(({ pid }) => pid))
  for (const { pid } of await it.everyWorker(count)) found.add(pid)
  return found.size
}

function rewrite(it: ConfiguredServer): void {
  const path = join(it.folder, 'app.py')
  const text = readFileSync(path, 'utf8').replace('"hello"', '"good morning"')
  writeFileSync(path, `${text}# edited\n`)
}

/** Edits the application, and waits until the new one answers. */
async function edit(it: ConfiguredServer): Promise<string> {
  let written = 0
  const seen = await it.until('the edited application', ({ greeting }) => {
    // Gunicorn begins to watch some time after its worker answers.
    if (greeting === 'hello' && Date.now() - written > 3000) {
      rewrite(it)
      written = Date.now()
    }
    return greeting !== 'hello'
  })
  return seen.greeting
}

/**
 * Edits a template, and waits until there is another worker.
 * @returns the process of the one before
 */
async function editTemplate(it: ConfiguredServer): Promise<number> {
  const { pid } = await it.until('an answer', () => true)
  let written = 0
  await it.until('a reload for a template', (facts) => {
    if (facts.pid === pid && Date.now() - written > 3000) {
      written = Date.now()
      writeFileSync(join(it.folder, 'templates', 'index.html'), `changed at ${written}`)
    }
    return facts.pid !== pid
  })
  return pid
}

async function reload(it: ConfiguredServer, count = 1): Promise<void> {
  const before = (await it.everyWorker(count)).map(({ pid }) => pid)
  it.server.signal('SIGHUP')
  await waitFor(`other workers (${it.name})`, () => before.every((pid) => !isAlive(pid)))
}

/** Waits until hooks have noted so many events of a name. */
async function noted(it: ConfiguredServer, name: string, count = 1): Promise<void> {
  await waitFor(`${count} × ${name} (${it.name}): ${it.events()}`, () => {
    return it.events().filter((event) => event.split(' ')[0] === name).length >= count
  })
}

/** Whether so many requests can be in one of the workers at once; one of them gets as many. */
async function meet(it: ConfiguredServer, wanted: number, workers: number): Promise<boolean> {
  const requests = Array.from({ length: workers * (wanted - 1) + 1 }, () => {
    return it.get(`/meet?${wanted}`)
  })
  return (await Promise.all(requests)).some(({ text }) => text.startsWith('together'))
}

function mode(path: string): string {
  const { mode, uid, gid } = statSync(path)
  return `${(mode & 0o777).toString(8)} ${uid}:${gid}`
}

/** The users of the hooks of two workers. */
const forTwo = (user: number) => [
  ...[`post_fork ${user}`, `post_fork ${user}`],
  ...['post_worker_init 65534', 'post_worker_init 65534'],
]

const courses: readonly Course[] = [
  {
    file: 'container.py',
    additions: {
      root: '/shop',
      env: () => ({ WEB_CONCURRENCY: '3', THREADS: '4', SCRIPT_NAME: '/shop', KEEP_ALIVE: '7' }),
    },
    async observe(it) {
      const printed = () => it.server.stdout().match(/^\{"workers".*\}$/gm)
      const before = { workers: await workers(it, 3), printed: printed() }
      const seen = {
        facts: await worker(
          it,
          '/facts?a=b%20c',
          'X-Forwarded-Proto: https',
          'X-Forwarded-For: 192.0.2.1',
          'X-Odd_Name: 1',
          'Accept: */*',
        ),
        threads: await Promise.all(Array.from({ length: 4 }, () => it.get('/slow?0.1'))).then(
          (answers) => answers.map(({ status }) => status),
        ),
      }
      const { environ } = await it.facts('/facts', 'X-Forwarded-Proto: https')
      await reload(it, 3)
      await it.everyWorker(3)
      await it.server.stop()
      const line =
        /^127\.0\.0\.1 - - \[[^\]]+\] "GET \/shop\/facts\?a=b%20c HTTP\/1\.1" 200 \d+ "-" "-"$/m
      return {
        ...before,
        ...seen,
        'environ has also': ['REQUEST_URI', 'HTTPS'].filter((key) => key in environ),
        'printed after HUP': printed(),
        'access line': line.test(it.server.stdout()),
      }
    },
    differences: {
      'environ has also': {
        gunicorn: [],
        monoceros: ['REQUEST_URI', 'HTTPS'],
        because: 'applications that were written for CGI or mod_wsgi read these',
      },
    },
  },
  {
    file: 'django_socket.py',
    additions: {
      otherUser: true,
      env: (folder) => ({ STATE: folder, RUN_AS: 'nobody', RUN_AS_GROUP: 'nogroup' }),
      socket: 'gunicorn.sock',
    },
    async observe(it) {
      const path = (name: string) => join(it.folder, name)
      await waitFor('its pid file', () => it.read('gunicorn.pid').trim() !== '')
      // The workers do not wait for each other to write theirs.
      const lines = (count: number) =>
        waitFor(`${count} lines`, () => it.read('access.log').split('\n').length > count)
      const facts = await worker(it)
      await lines(1)
      const { env, pid } = await it.facts('/facts', 'X-Request-Id: 1"2')
      await lines(2)
      await it.get('/raise')
      await lines(3)
      const seen = {
        facts,
        env: [env.DJANGO_SETTINGS_MODULE, env.LANG],
        workers: await workers(it, 2),
        modes: ['gunicorn.sock', 'gunicorn.pid', 'access.log', 'error.log'].map((name) =>
          mode(path(name)),
        ),
        pid: Number(it.read('gunicorn.pid')) === it.server.pid,
        title: /mysite/.test(commandLineOf(it.server.pid)) && /mysite/.test(commandLineOf(pid)),
        access: it
          .read('access.log')
          .split('\n')
          .slice(0, 3)
          .map((line) =>
            line.replace(/^\[[^\]]*\]/, 'TIME').replace(/ \d+ \d+ "/, ' BYTES TIME "'),
          ),
        levels: [...new Set(it.entries(it.read('error.log')).map((entry) => entry.split(' ')[0]))],
        error: /^ValueError: wrong$/m.test(it.read('error.log')),
      }
      renameSync(path('access.log'), path('access.log.1'))
      it.server.signal('SIGUSR1')
      await waitFor(`the new file (${it.name})`, () => existsSync(path('access.log')))
      // Gunicorn's workers may not open the new file. Each ends, or, with a request just then, goes
      // on and writes to no file any more.
      if (it.name === 'gunicorn') {
        let sent = Date.now()
        await waitFor('what its workers say', () => {
          // One that is closing a connection just then says nothing.
          if (Date.now() - sent > 3000) {
            sent = Date.now()
            it.server.signal('SIGUSR1')
          }
          return /access\.log/.test(it.server.log() + it.read('error.log'))
        })
      } else {
        await waitFor('a line in it', async () => {
          await it.get('/after')
          return /\/after/.test(it.read('access.log'))
        })
      }
      const stopped = await it.server.stop()
      return {
        ...seen,
        'new file': mode(path('access.log')),
        stopped,
        left: ['gunicorn.sock', 'gunicorn.pid'].filter((name) => existsSync(path(name))),
        'printed nothing': it.server.log() === '',
      }
    },
    differences: {
      'new file': {
        gunicorn: '644 0:0',
        monoceros: '644 65534:65534',
        because: 'workers that are no longer root could not write to a file of root',
      },
      'printed nothing': {
        gunicorn: false,
        monoceros: true,
        because: 'its workers print that they may not open the new file',
      },
    },
  },
  {
    file: 'preload_freeze.py',
    additions: { args: () => ['--max-requests', '20', '--max-requests-jitter', '0'] },
    async observe(it) {
      await noted(it, 'post_fork', 2)
      const both = await it.everyWorker(2)
      const first = both.map(({ pid }) => pid)
      const seen = {
        imports: new Set(both.map((facts) => facts['imported by'])).size,
        'imported by a worker': both.some((facts) => facts['imported by'] === facts.pid),
        'objects at the same address': new Set(both.map(({ shared }) => shared)).size,
        'random at import': new Set(both.map((facts) => facts['random at import'])).size,
        hooks: it.events().slice(0, 5).sort(),
        'pre_fork is before post_fork':
          it.events().indexOf('pre_fork 1') < it.events().indexOf('post_fork 1 True'),
      }
      await waitFor(`workers after max_requests (${it.name})`, async () => {
        await Promise.all(Array.from({ length: 8 }, () => it.facts('/slow-facts?0.01')))
        return first.every((pid) => !isAlive(pid))
      })
      const after = await it.everyWorker(2)
      await it.server.stop()
      return {
        ...seen,
        'imports after recycling': new Set(after.map((facts) => facts['imported by'])).size,
        'the same import': after[0]!['imported by'] === both[0]!['imported by'],
        spawned: it
          .entries()
          .filter((entry) => /spawned/.test(entry))
          .slice(0, 2),
      }
    },
  },
  {
    file: 'database_pool.py',
    additions: { env: (folder) => ({ READY_FILE: join(folder, 'ready') }) },
    async observe(it) {
      await waitFor('its file', () => existsSync(join(it.folder, 'ready')))
      await noted(it, 'post_fork', 2)
      const both = await it.everyWorker(2)
      const imported = both[0]!['imported by']
      const seen = {
        'random in workers': new Set(both.map(({ random }) => random)).size,
        hooks: [...it.events()].sort(),
      }
      rewrite(it)
      await reload(it, 2)
      await noted(it, 'worker_exit', 2)
      const after = await it.facts()
      const exit = await it.server.stop()
      await noted(it, 'worker_exit', 4)
      return {
        ...seen,
        exit,
        'hooks in the end': [...it.events()].sort(),
        'HUP imports again': after['imported by'] !== imported,
        'HUP takes the edited application': after.greeting,
      }
    },
    differences: {
      'HUP imports again': {
        gunicorn: false,
        monoceros: true,
        because: 'a reload that keeps the old application would surprise (docs/guides/deploy.md)',
      },
      'HUP takes the edited application': {
        gunicorn: 'hello',
        monoceros: 'good morning',
        because: 'as above',
      },
    },
  },
  {
    file: 'prometheus.py',
    additions: {
      env: (folder) => ({ PROMETHEUS_MULTIPROC_DIR: folder, ENVIRONMENT: 'development' }),
    },
    async observe(it) {
      writeFileSync(join(it.folder, 'worker.db'), '')
      const [first] = await it.everyWorker(2)
      const scheme = async (...fields: string[]) =>
        (await it.facts('/facts', ...fields)).environ['wsgi.url_scheme']
      const seen = {
        facts: await worker(it),
        schemes: [
          await scheme('X-Forwarded-Proto: https'),
          await scheme('X-Forwarded-Proto: http'),
          await scheme('X-Forwarded-Ssl: on'),
          await scheme(),
        ],
        'together in a worker': await meet(it, 3, 2),
      }
      process.kill(first!.pid, 'SIGKILL')
      await noted(it, 'child_exit')
      await waitFor('the file to be gone', () => !existsSync(join(it.folder, 'worker.db')))
      return {
        ...seen,
        'workers again': await workers(it, 2),
        edited: await edit(it),
        stopped: await it.server.stop(),
        'one child_exit for each': it.events().length >= 3,
      }
    },
  },
  {
    file: 'gevent_patched.py',
    additions: { args: () => ['-w', '1'] },
    async observe(it) {
      await noted(it, 'post_worker_init')
      const seen = {
        'together in a worker': await meet(it, 40, 1),
        facts: await worker(it),
        hooks: it.events(),
        log: it.entries().filter((entry) => /green$/.test(entry)),
      }
      const slow = it.get('/slow?0.5')
      await waitFor('a request', async () => (await it.get('/')).status === 200)
      const exit = await it.server.stop()
      return { ...seen, 'request while it stops': (await slow).status, exit }
    },
    differences: {
      hooks: {
        gunicorn: ['post_fork False', 'post_worker_init True'],
        monoceros: ['post_fork True', 'post_worker_init True'],
        because: 'here gevent patches before the config file and its post_fork run',
      },
    },
  },
  {
    file: 'development.py',
    async observe(it) {
      const before = await it.facts()
      await it.get('/print')
      await it.server.waitForLog(/printed by the application/)
      const seen = { facts: await worker(it), edited: await edit(it) }
      const pid = await editTemplate(it)
      const exit = await it.server.stop()
      return {
        ...seen,
        exit,
        'another worker': before.pid !== pid,
        'access line': /^127\.0\.0\.1 - - .*"GET \/print HTTP\/1\.1" 200 \d+ "-" "-"$/m.test(
          it.server.stdout(),
        ),
        debug: it.entries().some((entry) => entry.startsWith('DEBUG')),
      }
    },
  },
  ...[
    { with: 'DEBUG=1', debug: '1', count: 1 },
    { with: 'DEBUG=0', debug: '0', count: 2 },
  ].map(
    ({ debug, count, ...rest }): Course => ({
      file: 'debug_switch.py',
      ...rest,
      additions: { env: () => ({ DEBUG: debug }) },
      async observe(it) {
        const all = await it.everyWorker(count)
        await it.get('/print')
        const field = 'x'.repeat(16_300)
        return {
          workers: all.length,
          imports: new Set(all.map((facts) => facts['imported by'])).size,
          facts: await worker(it),
          'long field': (await it.get('/', `X: ${field}`)).status,
          'longer field': (await it.get('/', `X: ${field}${field}`)).status,
          together: await meet(it, 8, count),
          debug: it.entries().some((entry) => entry.startsWith('DEBUG')),
          ...(debug === '1' && { edited: await edit(it) }),
          stopped: await it.server.stop(),
        }
      },
    }),
  ),
  {
    file: 'request_times.py',
    additions: { env: () => ({ RELOAD: '1' }), args: () => ['--log-level', 'debug'] },
    async observe(it) {
      await it.get('/cart?item=1')
      await it.get('/raise')
      await noted(it, 'post_request', 2)
      await it.server.waitForLog(/\/raise: .* in/)
      return {
        hooks: it.events(),
        log: it
          .entries()
          .filter((entry) => /\/cart|\/raise: /.test(entry))
          .map((entry) => entry.replace(/\d+\.\d+ s$/, 'TIME')),
        edited: await edit(it),
        stopped: await it.server.stop(),
      }
    },
  },
  {
    file: 'dict_logging.py',
    additions: { env: (folder) => ({ LOG_FILE: join(folder, 'all.log') }), log: 'all.log' },
    async observe(it) {
      await it.get('/log', 'User-Agent: a "quoted" \\ one')
      await it.get('/raise')
      await it.server.waitForLog(/logged by the application/)
      await waitFor('the traceback', () => it.read('all.log').includes('ValueError: wrong'))
      const access = /^(.*)(\{.*"request": "GET \/log .*)$/m
      await waitFor('an access line', () => access.test(it.server.stdout() + it.read('all.log')))
      const exit = await it.server.stop()
      const file = it.read('all.log')
      const line = access.exec(it.server.stdout() + file)
      return {
        exit,
        application: it.server.stdout().match(/^.*logged by.*$/m)?.[0],
        'access line': line?.[2]?.replace(/\d+\.\d+"\}/, 'TIME"}'),
        'in front of it': line?.[1],
        'access log in the file': access.test(file),
        'error line': /^(.*)Error handling request/m.exec(file)?.[1]?.replace(/\d+/g, 'N'),
        'standard error': it.server.stderr().replaceAll(it.folder, 'FOLDER'),
      }
    },
    differences: {
      'access line': {
        gunicorn:
          '{"remote": "127.0.0.1", "request": "GET /log HTTP/1.1", "status": "200", ' +
          '"agent": "a \\"quoted\\" \\ one", "time": "TIME"}',
        monoceros:
          '{"remote": "127.0.0.1", "request": "GET /log HTTP/1.1", "status": "200", ' +
          '"agent": "a \\"quoted\\" \\\\ one", "time": "TIME"}',
        because: 'a client could make the line invalid JSON with a backslash',
      },
      'error line': {
        gunicorn: 'ERROR|gunicorn.error|',
        monoceros: '[N-N-N N:N:N +N] [N] [ERROR] ',
        because: "the server's own messages have a form of their own; a note at start says so",
      },
      'standard error': {
        gunicorn: '',
        monoceros:
          'monoceros: note: logconfig_dict: the access log goes to FOLDER/all.log, ' +
          'as for gunicorn.access\n' +
          'monoceros: note: logconfig_dict: the error log goes to FOLDER/all.log, ' +
          'as for gunicorn.error\n' +
          'monoceros: note: logconfig_dict: formatter line is not used for ' +
          "the server's own messages\n",
        because: 'what is taken over from the dictionary is told',
      },
    },
  },
  {
    file: 'statsd.py',
    additions: {
      env: async (folder) => {
        const receiver = await receiveDatagrams()
        daemons.set(folder, receiver)
        return { STATSD_HOST: receiver.address }
      },
    },
    async observe(it) {
      // A worker of Gunicorn that has just been forked misses TERM.
      await it.everyWorker(2)
      await it.get('/raise')
      const metrics = () =>
        daemons.get(it.folder)!.received.flatMap((datagram) => datagram.trimEnd().split('\n'))
      await waitFor('metrics', () => {
        return metrics().filter((metric) => metric.includes('request.duration')).length >= 2
      })
      await waitFor('metrics', () => /log.*|workers:2\|g/.test(metrics().join('\n')))
      const stopped = await it.server.stop()
      const kinds = metrics().map((metric) => metric.replace(/:[\d.]+\|/, ':N|'))
      return { stopped, metrics: [...new Set(kinds)].sort() }
    },
  },
  {
    file: 'every_hook.py',
    // With one worker, TTIN would also replace it here, so that wsgi.multiprocess is true.
    additions: { args: () => ['--timeout', '30', '--workers', '2'] },
    async observe(it) {
      const phases: Record<string, string[]> = {}
      let seen = 0
      const phase = async (name: string, awaited: Record<string, number>) => {
        const events = await waitFor(`${name} (${it.name}): ${it.events().join(', ')}`, () => {
          const found = it.events().slice(seen)
          const calls = (hook: string) => found.filter((event) => event.startsWith(hook)).length
          return Object.entries(awaited).every(([hook, count]) => calls(hook) >= count) && found
        })
        phases[name] = events
        seen += events.length
      }
      await phase('start', { post_worker_init: 2 })
      await it.get('/cart?item=1')
      await phase('request', { post_request: 1 })
      it.server.signal('SIGHUP')
      await phase('HUP', { post_worker_init: 2, child_exit: 2 })
      await it.facts()
      await phase('request after HUP', { post_request: 1 })
      it.server.signal('SIGTTIN')
      await phase('TTIN', { post_worker_init: 1 })
      it.server.signal('SIGTTOU')
      await phase('TTOU', { nworkers_changed: 1, child_exit: 1 })
      it.server.signal('SIGINT')
      const exit = await it.server.exited
      await phase('INT', { on_exit: 1 })
      // Workers run side by side, so only what happens in one of them has an order.
      const ordered = ['request', 'request after HUP', 'TTIN']
      return {
        exit,
        ...Object.fromEntries(
          Object.entries(phases).map(([name, events]) => [
            name,
            ordered.includes(name) ? events : [...events].sort(),
          ]),
        ),
        log: it
          .entries()
          .filter((entry) => /Server is ready|spawned|worker received/.test(entry))
          .filter((entry, index, all) => all.indexOf(entry) === index),
      }
    },
  },
  {
    file: 'every_hook.py',
    with: 'a request that hangs, and an upgrade',
    additions: { args: () => ['--timeout', '6', '--pid', 'pid'] },
    async observe(it) {
      await noted(it, 'post_worker_init')
      const hanging = it.get('/slow?30').catch(() => ({ status: 'reset' }))
      await noted(it, 'worker_abort')
      await noted(it, 'child_exit')
      await noted(it, 'post_worker_init', 2)
      const seen = {
        'hanging request': (await hanging).status,
        'post_request of it': it.events().filter((event) => event.startsWith('post_request')),
        hooks: it
          .events()
          .filter((event) => !event.startsWith('post_request'))
          .sort(),
        log: it.entries().filter((entry) => /received SIGABRT/.test(entry)),
      }
      it.server.signal('SIGUSR2')
      await noted(it, 'pre_exec')
      await noted(it, 'post_worker_init', 3)
      await waitFor('its pid file', () => it.read('pid.2').trim() !== '')
      const next = Number(it.read('pid.2'))
      const upgraded = it.events().filter((event) => /on_starting|when_ready|pre_exec/.test(event))
      it.server.signal('SIGTERM')
      const exit = await it.server.exited
      await waitFor('its pid file', () => Number(it.read('pid')) === next)
      const answer = (await it.get('/')).status
      process.kill(next, 'SIGTERM')
      await waitUntilGone(next)
      return { ...seen, upgraded, exit, answer, 'pid file': existsSync(join(it.folder, 'pid')) }
    },
    differences: {
      'hanging request': {
        gunicorn: 500,
        monoceros: 504,
        because: 'a gateway that has no answer in time says 504',
      },
      'post_request of it': {
        gunicorn: ['post_request /slow None'],
        monoceros: [],
        because: 'the worker ends where it hangs; nothing is raised in the application',
      },
    },
  },
  {
    file: 'low_port.py',
    additions: { otherUser: true },
    async observe(it) {
      await noted(it, 'post_worker_init', 2)
      const { user, ...facts } = await worker(it)
      const seen = { user, facts, hooks: [...it.events()].sort() }
      await reload(it, 2)
      await noted(it, 'post_worker_init', 4)
      await it.everyWorker(2)
      const exit = await it.server.stop()
      return { ...seen, exit, 'hooks after HUP': it.events().slice(seen.hooks.length).sort() }
    },
    differences: {
      user: {
        gunicorn: '65534:0',
        monoceros: '65534:65534',
        because: 'with initgroups Gunicorn keeps the group of root',
      },
      hooks: {
        gunicorn: ['nworkers_changed 2 None', ...forTwo(0)],
        monoceros: ['nworkers_changed 2 None', ...forTwo(65534)],
        because: 'post_fork runs as the user already (docs/guides/from-gunicorn.md)',
      },
      'hooks after HUP': {
        gunicorn: ['nworkers_changed 2 2', 'on_exit', 'on_reload 0', ...forTwo(0)],
        monoceros: ['nworkers_changed 2 2', 'on_exit', 'on_reload 0', ...forTwo(65534)],
        because: 'as above',
      },
    },
  },
  {
    file: 'procfile.args',
    async observe(it) {
      const both = await it.everyWorker(2)
      return {
        workers: await workers(it, 2),
        imports: new Set(both.map((facts) => facts['imported by'])).size,
        facts: await worker(it),
        together: await meet(it, 4, 2),
        stopped: await it.server.stop(),
        'access line': /"GET \/meet\?4 HTTP\/1\.1" 200 /.test(it.server.stdout()),
      }
    },
  },
  {
    file: 'compose.args',
    async observe(it) {
      const edited = await edit(it)
      await editTemplate(it)
      return {
        edited,
        stopped: await it.server.stop(),
        'access line': /^127\.0\.0\.1 - - .*"GET \/facts HTTP\/1\.1" 200/m.test(it.server.stdout()),
        debug: it.entries().some((entry) => entry.startsWith('DEBUG')),
      }
    },
  },
  {
    file: 'ini_logging.args',
    async observe(it) {
      await it.get('/log')
      await it.get('/raise')
      const line = await it.server.waitForLog(/logged by the application/)
      const seen = { application: line[0], edited: await edit(it), stopped: await it.server.stop() }
      const lineOf = (pattern: RegExp) =>
        it.server
          .stdout()
          .split('\n')
          .find((text) => pattern.test(text))
          ?.replace(/ 200 \d+ /, ' 200 N ')
          .replace(/\d+[-:/]\w+[-:/][\d: ]+/g, 'TIME ')
          .replace(/\[\d+\]/, '[PID]')
      return {
        ...seen,
        'application line': lineOf(/logged by/),
        'access line': lineOf(/GET \/log/),
        'error line': lineOf(/Error handling request/),
        'standard error is empty': it.server.stderr() === '',
      }
    },
    differences: {
      'access line': {
        gunicorn: 'TIME [PID] [INFO] 127.0.0.1 - - [TIME +0000] "GET /log HTTP/1.1" 200 N "-" "-"',
        monoceros: '127.0.0.1 - - [TIME +0000] "GET /log HTTP/1.1" 200 N "-" "-"',
        because: 'a formatter with a time is not used; a note at start says so',
      },
      'error line': {
        gunicorn: 'TIME [PID] [ERROR] Error handling request GET /raise',
        monoceros:
          '[TIME +0000] [PID] [ERROR] Error handling request "GET /raise HTTP/1.1" [MONO4001]',
        because: 'as for the access log',
      },
      'standard error is empty': { gunicorn: true, monoceros: false, because: 'it has the notes' },
    },
  },
  {
    file: 'unit.args',
    additions: {
      // These clients do not use TLS, and no interpreter that anybody may run has gevent.
      without: [
        ...['--certfile', 'server.pem', '--keyfile', 'server.key'],
        ...['--user', 'nobody', '--group', 'nogroup'],
      ],
    },
    async observe(it) {
      const pid = Number(it.read('unit.pid'))
      const title = commandLineOf(it.server.pid)
      return {
        facts: await worker(it),
        together: await meet(it, 20, 1),
        'pid file': pid === it.server.pid,
        mode: mode(join(it.folder, 'unit.pid')),
        title: /unit/.test(title),
        stopped: await it.server.stop(),
        left: existsSync(join(it.folder, 'unit.pid')),
      }
    },
  },
]

const mayRun = hasPython() && existsSync(PUBLIC_PYTHON) && process.getuid?.() === 0

describe.skipIf(!mayRun)('the same configuration has the same effects', () => {
  test.each(courses.map((course) => [nameOf(course), course] as const))(
    '%s',
    async (_, { file, additions = {}, observe, differences = {} }) => {
      const run = async (name: 'gunicorn' | 'monoceros') =>
        await observe(await ConfiguredServer.start(name, file, additions))
      const [gunicorn, monoceros] = await Promise.all([run('gunicorn'), run('monoceros')])
      const named = Object.keys(differences)
      const others = (observed: Observed) =>
        Object.fromEntries(Object.entries(observed).filter(([key]) => !named.includes(key)))
      expect(others(monoceros)).toEqual(others(gunicorn))
      for (const [key, { because, ...expected }] of Object.entries(differences)) {
        expect({ gunicorn: gunicorn[key], monoceros: monoceros[key] }, because).toEqual(expected)
      }
    },
  )
})

test('each configuration is run, and each difference is one', () => {
  expect([...new Set(courses.map(({ file }) => file))].sort()).toEqual(
    configurations.filter((name) => name !== 'tls.py').sort(),
  )
  for (const { differences = {} } of courses)
    for (const { gunicorn, monoceros } of Object.values(differences))
      expect(monoceros).not.toEqual(gunicorn)
})

function nameOf({ file, with: what }: Course): string {
  return what === undefined ? file : `${file}, with ${what}`
}

import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'

// How an embedded interpreter starts: from byte code, from a snapshot, and what of a snapshot must
// not be the same twice.

const work = temporaryDirectory()
const cache = join(work.path, 'cache')
const compiled = (name: string) => join(repository, 'dist', 'runtimes', 'pyodide', name)

/**
 * Loads images as a process of its own would, and starts an interpreter of each; see `inProcess`.
 */
const script = `
const { parentPort, workerData } = require('node:worker_threads')
const { Worker } = require('node:worker_threads')

async function main() {
  const { loadImage, keepSnapshot, discardSnapshot, snapshotFits } = await import(workerData.image)
  const environment = workerData.cacheEnvironment
  const answers = []
  for (const step of workerData.steps) {
    if (step === 'keep') answers.push((await keepSnapshot(environment)).kind)
    else if (step === 'discard') await discardSnapshot()
    else {
      const image = await loadImage(environment)
      const restored = image.snapshot !== null
      const { python, pythonEnvironment } = step
      const interpreter = new Worker(workerData.interpreterScript, {
        eval: true, env: {}, workerData: { ...workerData, image, python, pythonEnvironment },
      })
      const answer = await new Promise((resolve, reject) => {
        interpreter.once('message', resolve)
        interpreter.once('error', reject)
      })
      await interpreter.terminate()
      answers.push({ restored, ...answer })
    }
  }
  parentPort.postMessage(answers)
}
// What is made in the background keeps nobody from ending.
const busy = setInterval(() => {}, 1000)
main().finally(() => clearInterval(busy))
`

const interpreterScript = `
const { parentPort, workerData } = require('node:worker_threads')

async function main() {
  const { startInterpreter } = await import(workerData.interpreter)
  const { image, python, folder, pythonEnvironment } = workerData
  const pyodide = await startInterpreter({
    image,
    mounts: [{ path: folder, readOnly: true }],
    environment: pythonEnvironment,
    stdout: () => {},
    stderr: () => {},
    memoryLimit: null,
    interruptBuffer: new Uint8Array(new SharedArrayBuffer(4)),
  })
  const globals = pyodide.toPy({ folder, environment: pythonEnvironment })
  pyodide.runPython(\`
import sys
sys.path.insert(0, folder)
before = len(sys.modules)
from monoceros_pyodide.wake import wake
sys.path.remove(folder)
wake(environment, ['', '--flag'])
\`, { globals })
  parentPort.postMessage({ value: JSON.parse(pyodide.runPython('import json\\n' + python + '\\njson.dumps(answer)', { globals })) })
}
main().catch((error) => parentPort.postMessage({ error: String(error.stack ?? error).slice(0, 3000) }))
`

interface Answer {
  restored: boolean
  value: Record<string, unknown>
}
type Step = 'keep' | 'discard' | { python: string; pythonEnvironment: Record<string, string> }

/**
 * Runs the steps in a thread whose modules are its own, which is what decides here: a thread stands
 * for a process. Answers with what each gave.
 */
async function inProcess(
  steps: Step[],
  environment: NodeJS.ProcessEnv = { MONOCEROS_CACHE: cache },
) {
  const worker = new Worker(script, {
    eval: true,
    workerData: {
      steps,
      cacheEnvironment: environment,
      image: compiled('image/image.js'),
      interpreter: compiled('interpreter.js'),
      interpreterScript,
      folder: join(repository, 'python'),
    },
  })
  try {
    return await new Promise<unknown[]>((resolve, reject) => {
      worker.once('message', (answers: Answer[]) => {
        const failed = answers.find((answer) => typeof answer === 'object' && 'error' in answer)
        if (failed) reject(new Error(String((failed as unknown as { error: string }).error)))
        else resolve(answers)
      })
      worker.once('error', reject)
    })
  } finally {
    await worker.terminate()
  }
}

const run = (python: string, pythonEnvironment: Record<string, string> = {}): Step => ({
  python,
  pythonEnvironment,
})

/**
 * A cache of its own that has the snapshot made at first: to make one takes seconds of a processor.
 */
function anotherCache(name: string): string {
  const folder = join(work.path, name)
  cpSync(cache, folder, { recursive: true })
  chmodSync(folder, 0o700)
  return folder
}

/** What an interpreter says of everything that a snapshot could have frozen. */
const state = `
import gc, hashlib, logging, os, random, secrets, sqlite3, ssl, sys, tempfile, time, uuid
environment_as_started = dict(os.environ)
answer = {
    'chance': [
        random.random(), random.getrandbits(64), str(uuid.uuid4()), str(uuid.uuid1()), uuid.getnode(), tempfile.mktemp(),
        secrets.token_hex(8), os.urandom(8).hex(), ssl.RAND_bytes(8).hex(),
        sqlite3.connect(':memory:').execute('select random()').fetchone()[0],
        random.Random().random(), random.SystemRandom().random(),
    ],
    'environment': environment_as_started,
    'time': time.time(),
    'zone': [time.tzname, time.timezone, time.localtime().tm_zone],
    'path': sys.path,
    'argv': sys.argv,
    'modules': sorted(sys.modules),
    'logging since': logging._startTime / 1e9,
    'listed': [path for path in sys.path_importer_cache if not path.startswith('/lib/')],
}
`

let first: Answer
let kept: unknown
let again: Answer
let restored: [Answer, Answer]

beforeAll(async () => {
  ;[first, kept, again] = (await inProcess([run(state), 'keep', run(state)])) as [
    Answer,
    unknown,
    Answer,
  ]
  restored = [
    ...(await inProcess([run(state, { A: 'one', TZ: 'UTC' })])),
    ...(await inProcess([run(state, { B: 'two' })])),
  ] as [Answer, Answer]
})

afterAll(() => {
  work.remove()
})

describe('the first start', () => {
  test('has no snapshot, makes one, and the process’s own next interpreter starts from it', () => {
    expect(first.restored).toBe(false)
    expect(kept).toBe('made')
    expect(again.restored).toBe(true)
    expect(readdirSync(cache)).toHaveLength(1)
  })

  test('reads the standard library’s archive from the disk: it is whole, and cannot be written to', async () => {
    const [answer] = (await inProcess([
      run(`
import os, stat, zipfile
[path] = [path for path in sys.path if path.endswith('.zip')]
with zipfile.ZipFile(path) as archive:
    damaged = archive.testzip()
    comment = archive.comment.decode()
with open(path, 'rb') as file:
    size = len(file.read())
    end = file.read(1)
try:
    open(path, 'r+b')
    refused = None
except OSError as error:
    refused = type(error).__name__
answer = {
    'damaged': damaged, 'comment': comment, 'size': size, 'end': list(end), 'told': os.stat(path).st_size,
    'refused': refused, 'folder': sorted(os.listdir('/lib')),
}
`),
    ])) as [Answer]
    const archive = readFileSync(join(repository, 'packages/pyodide/python_stdlib.zip'))
    expect(answer.value).toMatchObject({
      damaged: null,
      size: archive.length,
      told: archive.length,
      end: [],
      refused: 'PermissionError',
      folder: ['python3.14', 'python314.zip'],
    })
    expect(archive.toString('latin1')).toContain(answer.value.comment as string)
  })

  test('does not compile the standard library: its byte code is used', async () => {
    const [answer] = (await inProcess(
      [
        run(
          "import string\nanswer = {'from': string.__spec__.cached or " +
            "string.__spec__.loader_state or '', 'file': string.__file__}",
        ),
      ],
      { MONOCEROS_CACHE: 'off' },
    )) as [Answer]
    expect(answer.restored).toBe(false)
    expect(answer.value.file).toMatch(/^\/lib\/python314\.zip\/string\/__init__\.pyc$/)
  })

  test('keeps the sources for tracebacks', async () => {
    const [answer] = (await inProcess([
      run(
        "import linecache, string, textwrap\nanswer = {'line': " +
          'linecache.getline(textwrap.dedent.__code__.co_filename, ' +
          'textwrap.dedent.__code__.co_firstlineno, textwrap.__dict__)}',
      ),
    ])) as [Answer]
    expect(answer.value.line).toBe('def dedent(text):\n')
  })
})

describe('two interpreters from one snapshot', () => {
  test('are both restored, with what most applications import', () => {
    for (const each of restored) {
      expect(each.restored).toBe(true)
      expect(each.value.modules).toEqual(
        expect.arrayContaining([
          'email.message',
          'http.server',
          'monoceros.exchange',
          'urllib.request',
          'zoneinfo',
        ]),
      )
    }
  })

  test('have nothing in common that is left to chance', () => {
    const [one, two] = restored.map((each) => each.value.chance as unknown[]) as [
      unknown[],
      unknown[],
    ]
    for (const [index, value] of one.entries())
      expect([index, value]).not.toEqual([index, two[index]])
  })

  test('see their own environment and nothing of the one that the snapshot was made in', () => {
    expect(restored[0].value.environment).toEqual({ A: 'one', TZ: 'UTC' })
    expect(restored[1].value.environment).toEqual({ B: 'two' })
  })

  test('know what time it is, and count the log’s from now', () => {
    for (const { value } of restored) {
      const now = Date.now() / 1000
      expect(value.time).toBeGreaterThan(now - 100)
      expect(value.time as number).toBeGreaterThan(first.value.time as number)
      expect(value['logging since']).toBeGreaterThan(first.value.time as number)
    }
  })

  test('look for modules where a fresh one does, and have its arguments and time zone', () => {
    for (const { value } of restored) {
      expect(value.path).toEqual(first.value.path)
      expect(value.zone).toEqual(first.value.zone)
      expect(value.argv).toEqual(['', '--flag'])
    }
  })
})

test('the snapshot holds nothing of the environment of the process that made it', () => {
  const [name] = readdirSync(cache)
  const contents = readFileSync(join(cache, name!))
  expect(process.env.PATH!.length).toBeGreaterThan(10)
  expect(contents.includes(process.env.PATH!)).toBe(false)
  expect(contents.includes(cache)).toBe(false)
})

test('what the application needs of an interpreter works in a restored one', async () => {
  const python = `
import asyncio, ctypes, decimal, importlib, os, sqlite3, ssl, sys, tempfile, zlib, zoneinfo
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda value: value + 1)
with tempfile.NamedTemporaryFile('w', suffix='.py', delete=False) as file:
    file.write('value = 6 * 7')
sys.path.insert(0, os.path.dirname(file.name))
module = importlib.import_module(os.path.basename(file.name)[:-3])
db = sqlite3.connect(':memory:')
db.execute('create table t (x)')
db.executemany('insert into t values (?)', [(n,) for n in range(1000)])
import wave  # not in the snapshot
answer = {
    'callback': callback(41),
    'module': module.value,
    'sum': db.execute('select sum(x) from t').fetchone()[0],
    'zlib': zlib.decompress(zlib.compress(b'x' * 1000)).decode()[:1],
    'decimal': str(decimal.Decimal(1) / 3)[:6],
    'tls': ssl.create_default_context().verify_mode.name,
    'memory': len(bytearray(100_000_000)),
}
`
  const [answer] = (await inProcess([run(python)])) as [Answer]
  expect(answer.restored).toBe(true)
  expect(answer.value).toEqual({
    callback: 42,
    module: 42,
    sum: 499500,
    zlib: 'x',
    decimal: '0.3333',
    tls: 'CERT_REQUIRED',
    memory: 100_000_000,
  })
})

describe('without a cache', () => {
  test.each([
    ['it is off', { MONOCEROS_CACHE: 'off' }],
    ['there is no home', {}],
  ])('a start works: %s', async (_, environment) => {
    const [outcome, answer] = (await inProcess(
      ['keep', run("answer = {'sum': 1 + 1}")],
      environment,
    )) as [string, Answer]
    expect(outcome).toBe('off')
    expect(answer).toEqual({ restored: false, value: { sum: 2 } })
  })

  test('a start works when the folder cannot be made, and the reason is told', async () => {
    const file = join(work.path, 'file')
    writeFileSync(file, '')
    const [outcome, answer] = (await inProcess(['keep', run("answer = {'sum': 1 + 1}")], {
      MONOCEROS_CACHE: join(file, 'cache'),
    })) as [string, Answer]
    expect(outcome).toBe('failed')
    expect(answer.restored).toBe(false)
  })
})

test('a snapshot that was tampered with is not used, and a good one takes its place', async () => {
  const other = { MONOCEROS_CACHE: anotherCache('other') }
  const [name] = readdirSync(other.MONOCEROS_CACHE)
  chmodSync(join(other.MONOCEROS_CACHE, name!), 0o666)
  const ask = run("answer = {'sum': 1 + 1}")
  const answers = await inProcess([ask, 'keep', ask], other)
  expect(answers).toEqual([
    { restored: false, value: { sum: 2 } },
    'made',
    { restored: true, value: { sum: 2 } },
  ])
})

test('a damaged snapshot is removed by who would have started from it, and does no harm', async () => {
  const other = { MONOCEROS_CACHE: anotherCache('damaged') }
  const file = join(other.MONOCEROS_CACHE, readdirSync(other.MONOCEROS_CACHE)[0]!)
  const bytes = readFileSync(file)
  bytes[1_000_000] = bytes[1_000_000]! ^ 1
  writeFileSync(file, bytes)
  const [answer] = (await inProcess([run("answer = {'sum': 1 + 1}")], other)) as [Answer]
  expect(answer.value).toEqual({ sum: 2 })
  expect(readdirSync(other.MONOCEROS_CACHE)).toEqual([])
})

test('of several processes that start at once, one makes the snapshot', async () => {
  const other = { MONOCEROS_CACHE: join(work.path, 'crowd') }
  const outcomes = await Promise.all([1, 2, 3].map(() => inProcess(['keep'], other)))
  expect(outcomes.flat().sort()).toEqual(['elsewhere', 'elsewhere', 'made'])
})

test('after a snapshot has been discarded it is used no more', async () => {
  const other = { MONOCEROS_CACHE: anotherCache('discarded') }
  const ask = run("answer = {'sum': 1 + 1}")
  const answers = await inProcess([ask, 'discard', ask], other)
  expect(answers.map((answer) => (answer as Answer)?.restored)).toEqual([true, false])
  expect(readdirSync(other.MONOCEROS_CACHE)).toEqual([])
})

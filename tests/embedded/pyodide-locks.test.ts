import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { startLoad } from '../support/load.ts'
import { get } from '../support/plain-application.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// An embedded server and `monoceros python`, two processes, write one SQLite database. Neither sees
// the other's locks in memory.

const APPLICATION = `
import os, sqlite3

def connect():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "db.sqlite3")
    # Longer than it takes until the log has who holds a lock, and the test ends that process.
    return sqlite3.connect(path, isolation_level=None, timeout=30)

def increment(database, who):
    database.execute("BEGIN IMMEDIATE")
    (number,) = database.execute("SELECT number FROM counter").fetchone()
    database.execute("INSERT INTO rows VALUES (?, ?, ?)", (who, number, "x" * 500))
    database.execute("UPDATE counter SET number = ?", (number + 1,))
    database.execute("COMMIT")
    return number + 1

database = connect()
database.execute("CREATE TABLE IF NOT EXISTS counter (number INTEGER)")
database.execute("CREATE TABLE IF NOT EXISTS rows (who TEXT, number INTEGER, text TEXT)")
database.execute("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT * FROM counter)")

def application(environ, start_response):
    try:
        if environ["PATH_INFO"] == "/increment":
            body = str(increment(database, "server"))
        else:
            body = " ".join(str(value) for (value,) in [
                *database.execute("PRAGMA integrity_check"),
                *database.execute("SELECT number FROM counter"),
                *database.execute("SELECT count(*) FROM rows"),
                *database.execute("SELECT count(DISTINCT number) FROM rows"),
            ])
        status = "200 OK"
    except sqlite3.Error as error:
        status, body = "500 " + str(error), str(error)
    start_response(status, [("Content-Length", str(len(body)))])
    return [body.encode()]
`

const INCREMENTS = 150
const LOOP = `
import counted, os, shutil, sqlite3, tempfile

# The links by which processes exclude each other are in nobody's way.
folder = tempfile.mkdtemp(dir=".")
other = sqlite3.connect(os.path.join(folder, "other"), isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
assert os.path.islink(os.path.join(folder, "other-monoceros"))
expected = ["other", "other-journal"]
assert sorted(os.listdir(folder)) == expected == sorted(entry.name for entry in os.scandir(folder))
other.close()
os.symlink("5@0.0.0.0.0.0", os.path.join(folder, "deleted-monoceros"))
os.mkdir(os.path.join(folder, "my-monoceros"))
assert sorted(os.listdir(folder)) == ["my-monoceros", "other"]
shutil.rmtree(folder)

print("begun", flush=True)
for _ in range(${INCREMENTS}):
    counted.increment(counted.database, "command")
`

// So many rows that the file is changed before the transaction is over; only its journal knows what
// was there.
const STUCK = `
import counted
counted.database.execute("PRAGMA cache_size = 5")
counted.database.execute("BEGIN IMMEDIATE")
counted.database.execute("UPDATE counter SET number = -1")
for number in range(2000):
    counted.database.execute("INSERT INTO rows VALUES ('stuck', ?, ?)", (-number, "y" * 500))
print("inside", flush=True)
while True:
    pass
`

/** Milliseconds that a start may take on a machine that has much else to do. */
const START = 60_000
vi.setConfig({ testTimeout: 2 * START, hookTimeout: 2 * START })

let folder: string
let server: RunningServer

beforeAll(async () => {
  const temporary = temporaryDirectory()
  folder = temporary.path
  writeFileSync(join(folder, 'counted.py'), APPLICATION)
  writeFileSync(join(folder, 'loop.py'), LOOP)
  writeFileSync(join(folder, 'stuck.py'), STUCK)
  server = await startServer({
    app: 'counted:application',
    args: ['--runtime', 'pyodide', '--workers', '2'],
    cwd: folder,
  })
  return temporary.remove
})

async function ask(path: string): Promise<string> {
  const connection = await RawConnection.open(server)
  connection.timeout = START
  const { text } = await connection.request(get(path))
  connection.close()
  return text
}

/**
 * Starts `monoceros python FILE` and resolves when it has printed a line; kills it at the end of
 * `use`.
 */
async function withCommand(
  file: string,
  use: (child: ChildProcess, ended: Promise<string>) => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, [commandPath, 'python', file], { cwd: folder })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = new Promise<string>((resolve) => {
    child.on('close', (code, signal) => resolve(`${output}${signal ?? code}`))
  })
  try {
    await waitFor(`${file} to begin`, () => output.includes('\n') || child.exitCode !== null, START)
    await use(child, ended)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

describe('SQLite, written by an embedded server and a command', () => {
  test('no change is lost, none fails, and the database stays whole', async () => {
    const load = startLoad(server, '/increment', 4)
    await withCommand('loop.py', async (_child, ended) => {
      expect(await within('the command to end', START, ended)).toBe('begun\n0')
    })
    const { bodies, faults } = await load.stop()
    expect(faults).toEqual([])
    const all = bodies.length + INCREMENTS
    expect(await ask('/state')).toBe(`ok ${all} ${all} ${all}`)
    expect(new Set(bodies).size).toBe(bodies.length)
  })

  test('what a killed process had begun is rolled back, and the server goes on', async () => {
    const before = await ask('/state')
    const number = Number(before.split(' ')[1])
    await withCommand('stuck.py', async (child, ended) => {
      expect(readdirSync(folder)).toContain('db.sqlite3-journal')
      const answer = ask('/increment')
      // Who has the file is told after a while.
      await server.waitForLog(
        new RegExp(`db\\.sqlite3 is locked by another Monoceros process, ${child.pid} .*MONO2052`),
      )
      child.kill('SIGKILL')
      await ended
      expect(await answer).toBe(String(number + 1))
    })
    const after = number + 1
    expect(await ask('/state')).toBe(`ok ${after} ${after} ${after}`)
    expect(readdirSync(folder)).not.toContain('db.sqlite3-journal')
  })
})

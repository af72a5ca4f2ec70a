import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLockTable, releaseOwner } from '../../src/runtimes/pyodide/locks/lock-table.ts'
import { PyodideThread } from '../support/pyodide-thread.ts'

// What the embedded interpreter sees of the disk, by Python's own means.

const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'monoceros-files-')))
const app = join(root, 'app')
const shared = join(root, 'shared')
const secret = join(root, 'secret')
const data = join(root, 'data')
const table = createLockTable()
const owners = [1, 2, 3]
let threads: PyodideThread[]
let python: PyodideThread

function start(owner: number): Promise<PyodideThread> {
  return PyodideThread.start({
    mounts: [
      { path: app, readOnly: false },
      { path: shared, readOnly: true },
      { path: join(app, 'static'), readOnly: true },
      { path: join(app, 'static/cache/deep'), readOnly: false },
      { path: join(app, 'outer/inner'), readOnly: true },
      { path: join(root, 'settings.ini'), readOnly: true },
      // As planMounts has it for a working directory that is named by a link.
      { path: join(root, 'alias'), readOnly: false },
      { path: data, readOnly: false },
      { path: join(data, 'kept'), readOnly: true },
    ],
    table,
    owner,
    cwd: app,
    environment: { TMPDIR: app },
  })
}

beforeAll(async () => {
  fs.mkdirSync(join(app, 'static/cache/deep'), { recursive: true })
  fs.mkdirSync(shared)
  fs.mkdirSync(secret)
  fs.writeFileSync(join(app, 'static/site.css'), 'body {}')
  fs.writeFileSync(join(shared, 'template.html'), '<p>')
  fs.writeFileSync(join(secret, 'key'), 'secret')
  fs.writeFileSync(join(root, 'settings.ini'), '[app]')
  fs.mkdirSync(join(app, 'outer/inner'), { recursive: true })
  fs.mkdirSync(join(data, 'kept'), { recursive: true })
  fs.writeFileSync(join(data, 'kept/file'), 'kept')
  fs.symlinkSync(data, join(root, 'alias'))
  threads = await Promise.all(owners.map(start))
  python = threads[0] as PyodideThread
})

afterAll(async () => {
  await Promise.all((threads ?? []).map((thread) => thread.terminate()))
  fs.rmSync(root, { recursive: true, force: true })
})

const prelude = `
import errno, os, fcntl, sqlite3
def attempt(function, *args, **options):
    try:
        return function(*args, **options) or "done"
    except OSError as error:
        return errno.errorcode[error.errno]
def text(path):
    with open(path) as file:
        return file.read()
def put(path, value, mode="w"):
    with open(path, mode) as file:
        file.write(value)
`

function evaluate(expression: string, statements = '', thread = python): Promise<unknown> {
  return thread.evaluate(`${prelude}\n${statements}`, expression)
}

describe('what is visible', () => {
  it('files are where they are on the disk, and what is written inside is there outside', async () => {
    expect(await evaluate('[os.getcwd(), text("static/site.css")]')).toEqual([app, 'body {}'])
    await evaluate('put("written", "by Python")')
    expect(fs.readFileSync(join(app, 'written'), 'utf8')).toBe('by Python')
    fs.writeFileSync(join(app, 'written'), 'by another')
    expect(await evaluate('text("written")')).toBe('by another')
  })

  it('what others create, replace and delete is seen at once', async () => {
    expect(await evaluate('os.path.exists("coming")')).toBe(false)
    fs.mkdirSync(join(app, 'coming'))
    expect(await evaluate('os.path.isdir("coming")')).toBe(true)
    fs.rmdirSync(join(app, 'coming'))
    fs.symlinkSync('written', join(app, 'coming'))
    expect(
      await evaluate('[os.path.isdir("coming"), os.path.islink("coming"), os.readlink("coming")]'),
    ).toEqual([false, true, 'written'])
    fs.unlinkSync(join(app, 'coming'))
    expect(await evaluate('[os.path.lexists("coming"), "coming" in os.listdir()]')).toEqual([
      false,
      false,
    ])
  })

  it('nothing else of the disk', async () => {
    expect(
      await evaluate(
        '[attempt(text, p) for p in ("/etc/passwd", "../secret/key", root + "/secret/key")]',
        `root = ${JSON.stringify(root)}`,
      ),
    ).toEqual(['ENOENT', 'ENOENT', 'ENOENT'])
    expect(await evaluate('sorted(os.listdir(".."))')).toEqual([
      'alias',
      'app',
      'data',
      'settings.ini',
      'shared',
    ])
  })

  it('links lead from mount to mount, and nowhere else, however they are written', async () => {
    fs.symlinkSync(join(secret, 'key'), join(app, 'absolute'))
    fs.symlinkSync('../secret/key', join(app, 'relative'))
    fs.symlinkSync('../secret', join(app, 'folder'))
    fs.symlinkSync('../shared', join(app, 'template-folder'))
    fs.symlinkSync('loop', join(app, 'loop'))
    expect(
      await evaluate(
        '[attempt(text, p) for p in ("absolute", "relative", "folder/key", ' +
          '"folder/../secret/key", "loop", "template-folder/template.html")]',
      ),
    ).toEqual(['ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ELOOP', '<p>'])
    expect(
      await evaluate(
        '[attempt(put, "relative", ""), attempt(os.listdir, "folder"), attempt(os.chmod, ' +
          '"absolute", 0)]',
      ),
    ).toEqual(['ENOENT', 'ENOENT', 'ENOENT'])
    expect(fs.readFileSync(join(secret, 'key'), 'utf8')).toBe('secret')
  })

  it.runIf(process.platform === 'linux').each([
    ['reading a file', 'text("swapped/key")'],
    ['writing one', 'put("swapped/key", "")'],
    ['truncating one', 'os.truncate("swapped/key", 0)'],
    ['making one', 'put("swapped/new", "")'],
    ['making a folder', 'os.mkdir("swapped/new")'],
    ['deleting', 'os.unlink("swapped/key")'],
    ['renaming', 'os.rename("swapped/key", "swapped/new")'],
    ['changing rights', 'os.chmod("swapped/key", 0o777)'],
    ['listing', 'os.listdir("swapped")'],
  ])(
    '%s: a folder that becomes a link out of the mounts after it was looked at gives nothing away',
    async (_, action) => {
      const folder = join(app, 'swapped')
      fs.mkdirSync(folder)
      fs.writeFileSync(join(folder, 'key'), 'harmless')
      const before = fs.statSync(join(secret, 'key'))
      const outcome = await evaluate(
        `attempt(lambda: ${action})`,
        `import host; host.swapBeforeOpening(${JSON.stringify(folder)}, ${JSON.stringify(secret)})`,
      )
      expect(fs.readlinkSync(folder)).toBe(secret)
      fs.unlinkSync(folder)
      fs.rmSync(`${folder}-aside`, { recursive: true })
      expect(['EACCES', 'ENOTDIR', 'ELOOP']).toContain(outcome)
      expect(fs.readdirSync(secret)).toEqual(['key'])
      expect(fs.readFileSync(join(secret, 'key'), 'utf8')).toBe('secret')
      expect(fs.statSync(join(secret, 'key')).mode).toBe(before.mode)
    },
  )

  it('tells files of the disk from those in memory, of which Python cannot tell the numbers', async () => {
    expect(
      await evaluate(
        '[host.isHostPath(p) for p in ("static/site.css", "/home/pyodide", "absolute", ' +
          '"/nothing")]',
        'import host',
      ),
    ).toEqual([true, false, false, false])
    expect(
      await evaluate(
        'numbers',
        'import host\nwith open("written") as file: numbers = ' +
          '[host.isHostDescriptor(file.fileno()), host.isHostDescriptor(1)]',
      ),
    ).toEqual([true, false])
  })

  it('a descriptor that it is given can be read wherever its file lies', async () => {
    const descriptor = fs.openSync(join(secret, 'key'), 'r')
    expect(
      await evaluate(
        '[content, size]',
        `import host
with open(host.adopt(${descriptor}), "rb") as file:
    content, size = file.read().decode(), os.fstat(file.fileno()).st_size`,
      ),
    ).toEqual(['secret', 6])
    expect(fs.fstatSync(descriptor).size).toBe(6)
    fs.closeSync(descriptor)
  })
})

describe('read-only mounts', () => {
  it('answer every change with EROFS, and can be read', async () => {
    const path = join(shared, 'template.html')
    const attempts = [
      'put, path, ""',
      'put, path, "", "a"',
      'put, path, "", "r+"',
      'put, new, "", "x"',
      'os.unlink, path',
      'os.rename, path, new',
      'os.mkdir, new',
      'os.chmod, path, 0',
      'os.chown, path, 1, 1',
      'os.utime, path',
      'os.truncate, path, 0',
      'os.symlink, path, new',
      'os.rmdir, folder',
    ]
    const before = fs.statSync(path)
    fs.mkdirSync(join(shared, 'folder'))
    expect(
      await evaluate(
        `[${attempts.map((one) => `attempt(${one})`).join(', ')}]`,
        `path, new, folder = ${JSON.stringify(path)}, ` +
          `${JSON.stringify(join(shared, 'new'))}, ${JSON.stringify(join(shared, 'folder'))}`,
      ),
    ).toEqual(attempts.map(() => 'EROFS'))
    expect(fs.statSync(path)).toMatchObject({ mode: before.mode, size: 3, mtimeMs: before.mtimeMs })
    expect(fs.readdirSync(shared).sort()).toEqual(['folder', 'template.html'])
    expect(
      await evaluate(
        '[os.access(path, os.R_OK), os.access(path, os.W_OK), text(path)]',
        `path = ${JSON.stringify(path)}`,
      ),
    ).toEqual([true, false, '<p>'])
  })

  it('nest: read-only in writable, and writable in read-only, at any depth', async () => {
    expect(
      await evaluate(
        '[attempt(put, p + "/new", "") for p in (".", "static", "static/cache", ' +
          '"static/cache/deep")] + [attempt(os.rmdir, "static/cache/deep")]',
      ),
    ).toEqual(['done', 'EROFS', 'EROFS', 'done', 'EBUSY'])
    expect(await evaluate('[f for _, _, files in os.walk("static") for f in files]')).toEqual([
      'site.css',
      'new',
    ])
  })

  it('stay so by whatever other path they are come to', async () => {
    const attempts = [
      'put, "kept/file", ""',
      'put, "kept/new", ""',
      'os.unlink, "kept/file"',
      'os.rename, "kept/file", "file"',
      'os.mkdir, "kept/new"',
      'os.chmod, "kept/file", 0',
      'os.utime, "kept"',
      'os.truncate, "kept/file", 0',
      'os.rename, "kept", "moved"',
    ]
    expect(
      await evaluate(
        `[${attempts.map((one) => `attempt(${one})`).join(', ')}, os.access("kept/file", ` +
          'os.W_OK), text("kept/file")]',
        `os.chdir(${JSON.stringify(join(root, 'alias'))})`,
      ),
    ).toEqual([...attempts.slice(1).map(() => 'EROFS'), 'EBUSY', false, 'kept'])
    expect(await evaluate('attempt(put, "written", "")')).toBe('done')
    expect(fs.readdirSync(data).sort()).toEqual(['kept', 'written'])
    await evaluate('None', `os.chdir(${JSON.stringify(app)})`)
  })

  it('a folder with one in it keeps its name, or what is read-only could be written by another', async () => {
    expect(
      await evaluate('[attempt(os.rename, "outer", "other"), attempt(put, "outer/inner/new", "")]'),
    ).toEqual(['EBUSY', 'EROFS'])
    expect(fs.readdirSync(join(app, 'outer/inner'))).toEqual([])
  })

  it.runIf(process.platform === 'linux').each([
    ['writing a file', 'put("swapped/template.html", "")'],
    ['truncating one', 'os.truncate("swapped/template.html", 0)'],
  ])('%s: a folder that becomes a link to one after it was looked at', async (_, action) => {
    const folder = join(app, 'swapped')
    fs.mkdirSync(folder)
    fs.writeFileSync(join(folder, 'template.html'), 'harmless')
    const before = fs.readdirSync(shared)
    const outcome = await evaluate(
      `attempt(lambda: ${action})`,
      `import host; host.swapBeforeOpening(${JSON.stringify(folder)}, ${JSON.stringify(shared)})`,
    )
    fs.unlinkSync(folder)
    fs.rmSync(`${folder}-aside`, { recursive: true })
    expect(outcome).toBe('EROFS')
    expect(fs.readdirSync(shared)).toEqual(before)
    expect(fs.readFileSync(join(shared, 'template.html'), 'utf8')).toBe('<p>')
  })

  it('an open file of theirs is as unchangeable', async () => {
    expect(
      await evaluate(
        'outcomes',
        `
outcomes = []
for path in (${JSON.stringify(join(shared, 'template.html'))}, ${JSON.stringify(join(root, 'alias/kept/file'))}):
    number = os.open(path, os.O_RDONLY)
    outcomes += [attempt(os.fchown, number, os.getuid(), os.getgid()), attempt(os.fchmod, number, 0o600), attempt(os.utime, number)]
    os.close(number)`,
      ),
    ).toEqual(Array(6).fill('EROFS'))
  })

  it('may be one file', async () => {
    expect(
      await evaluate(
        '[text(path), attempt(put, path, ""), attempt(os.unlink, path)]',
        'path = "../settings.ini"',
      ),
    ).toEqual(['[app]', 'EROFS', 'EBUSY'])
  })
})

describe('as natively', () => {
  const work = join(app, 'work')

  beforeEach(async () => {
    fs.rmSync(work, { recursive: true, force: true })
    fs.mkdirSync(work)
    await python.run(`import os; os.chdir(${JSON.stringify(work)}); ""`)
  })

  it('stat has the numbers of the host', async () => {
    fs.writeFileSync(join(work, 'file'), 'abc')
    fs.symlinkSync('file', join(work, 'link'))
    const { dev, ino, mode, nlink, uid, gid, size, mtimeNs, ctimeNs } = fs.statSync(
      join(work, 'file'),
      {
        bigint: true,
      },
    )
    const expected = [dev, ino, mode, nlink, uid, gid, size, mtimeNs, ctimeNs].map(String)
    const fields =
      '[str(getattr(s, "st_" + n)) for n in "dev ino mode nlink uid gid size mtime_ns ' +
      'ctime_ns".split()]'
    expect(await evaluate(fields, 's = os.stat("file")')).toEqual(expected)
    expect(await evaluate(fields, 's = os.stat("link")')).toEqual(expected)
    expect(
      await evaluate(fields, 'with open("file") as file: s = os.fstat(file.fileno())'),
    ).toEqual(expected)
    expect(
      await evaluate(
        '[os.path.samefile("file", "link"), e.inode() == s.st_ino]',
        's = os.stat("file")\n[e] = [e for e in os.scandir() if e.name == "file"]',
      ),
    ).toEqual([true, true])
  })

  it('a file that only one may create is created by one, and gets the rights that the umask leaves', async () => {
    const race = `
import os
os.chdir(${JSON.stringify(work)})
won = 0
for turn in range(300):
    try:
        os.close(os.open(f"lock-{turn}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        won += 1
    except FileExistsError:
        pass
str(won)`
    const won = await Promise.all(threads.map((thread) => thread.run(race)))
    expect(won.map(Number).reduce((a, b) => a + b)).toBe(300)
    expect(fs.statSync(join(work, 'lock-0')).mode & 0o777).toBe(0o666 & ~process.umask())
  })

  it('what several append is all there', async () => {
    const append = (thread: PyodideThread, index: number) =>
      thread.run(`
with open(${JSON.stringify(join(work, 'log'))}, "ab", buffering=0) as file:
    for turn in range(500): file.write(b"${index}" * 20 + b"\\n")
""`)
    await Promise.all(threads.map(append))
    const lines = fs.readFileSync(join(work, 'log'), 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(1500)
    expect(new Set(lines).size).toBe(3)
  })

  it('replacing a file is one step: who reads it sees the old or the new one', async () => {
    fs.writeFileSync(join(work, 'state'), 'x'.repeat(1000))
    const replacing = threads[1]?.run(`
import os
os.chdir(${JSON.stringify(work)})
for turn in range(500):
    with open("next", "w") as file: file.write("x" * 1000)
    os.replace("next", "state")
""`)
    expect(await evaluate('list({len(text("state")) for _ in range(1000)})')).toEqual([1000])
    await replacing
  })

  it('names are bytes: ASCII, UTF-8 or neither', async () => {
    fs.writeFileSync(
      Buffer.concat([Buffer.from(`${work}/bad`), Buffer.from([0xff, 0xe4])]),
      'neither',
    )
    expect(await evaluate('[text(os.listdir()[0]), os.listdir(b".")[0].hex()]')).toEqual([
      'neither',
      '626164ffe4',
    ])
    await evaluate(
      'put("größe-😀", "1"), put(b"raw\\xfe", "2"), os.rename(os.listdir(b".")[0], b"other\\xfd")',
    )
    const names = fs.readdirSync(work, 'buffer').map((name) => name.toString('latin1'))
    expect(names.sort()).toEqual(
      [Buffer.from('größe-😀').toString('latin1'), 'other\xfd', 'raw\xfe'].sort(),
    )
  })

  it('what the standard library does with files works', async () => {
    await evaluate(
      'None',
      `
import mmap, shutil, tempfile
with tempfile.NamedTemporaryFile() as file:
    assert os.path.dirname(file.name) == ${JSON.stringify(app)} and os.stat(file.name).st_mode & 0o777 == 0o600
assert not os.path.exists(file.name)
with tempfile.TemporaryFile() as file:
    file.write(b"abc"); file.flush(); os.fsync(file.fileno()); os.fdatasync(file.fileno()); file.seek(0)
    assert file.read() == b"abc" and os.fstat(file.fileno()).st_nlink == 0
os.makedirs("a/b/c"); put("a/b/c/file", "x")
shutil.copytree("a", "z"); shutil.move("z", "y"); assert text("y/b/c/file") == "x"
assert [n for _, _, n in os.walk("a")] == [[], [], ["file"]]
assert attempt(os.rmdir, "a") == "ENOTEMPTY" and attempt(os.unlink, "a") == "EISDIR" and attempt(text, "a") == "EISDIR"
assert attempt(os.rename, "a", "a/b/d") == "EINVAL" and attempt(text, "a/b/c/file/x") == "ENOTDIR"
shutil.rmtree("a"); assert not os.path.exists("a")
with open("big", "wb") as file:
    file.seek(5 * 2**30); file.write(b"end")
with open("big", "rb") as file:
    file.seek(-3, 2); assert (file.tell(), file.read()) == (5 * 2**30, b"end")
os.truncate("big", 2**32 + 1); assert os.stat("big").st_size == 2**32 + 1
with open("big", "r+b") as file: file.truncate(10)
assert os.stat("big").st_size == 10
with open("big", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory: memory[2:5] = b"map"
assert text("big")[2:5] == "map"
os.chmod("big", 0o640); assert os.stat("big").st_mode & 0o777 == 0o640
os.utime("big", ns=(1_500_000_000_123_456_000, 1_600_000_000_654_321_000)); assert abs(os.stat("big").st_mtime_ns - 1_600_000_000_654_321_000) < 2000
assert attempt(open, "big", "x") == "EEXIST" and attempt(text, "big/") == "ENOTDIR" and attempt(text, "n" * 300) == "ENAMETOOLONG"
os.symlink("big", "link"); os.chmod("link", 0o600); assert os.stat("big").st_mode & 0o777 == 0o600 and os.path.islink("link")
os.symlink("made", "dangling"); put("dangling", "1"); assert text("made") == "1"
folder = os.open(".", os.O_RDONLY); assert sorted(os.listdir(folder)) == sorted(os.listdir(".")); os.close(folder)
assert os.statvfs(".").f_blocks > 0`,
    )
  })

  it('a folder that is renamed while it is open is listed as before', async () => {
    fs.mkdirSync(join(work, 'before'))
    fs.writeFileSync(join(work, 'before/file'), '')
    expect(
      await evaluate(
        'names',
        'number = os.open("before", os.O_RDONLY); os.rename("before", "after"); names = ' +
          'os.listdir(number); os.close(number)',
      ),
    ).toEqual(['file'])
  })

  it('times before 1970 can be set', async () => {
    expect(
      await evaluate(
        '[os.stat("file").st_mtime, os.stat("file").st_atime]',
        'put("file", ""); os.utime("file", (-5.5, -86400))',
      ),
    ).toEqual([-86400, -5.5])
  })

  it('a mapping does not make a file longer that was cut meanwhile', async () => {
    expect(
      await evaluate(
        'text("file")',
        `
import mmap
put("file", "0123456789")
with open("file", "r+b") as file, mmap.mmap(file.fileno(), 10) as memory:
    os.ftruncate(file.fileno(), 3); memory[0:1] = b"x"`,
      ),
    ).toBe('x12')
  })

  it('a FIFO is seen, and not waited for', async () => {
    execFileSync('mkfifo', [join(work, 'fifo')])
    expect(await evaluate('[os.listdir(), attempt(text, "fifo")]')).toEqual([['fifo'], 'ENXIO'])
  })

  it('a thousand openings leave no descriptor behind', async () => {
    const count = () => fs.readdirSync('/proc/self/fd').length
    if (process.platform !== 'linux') return
    const before = count()
    await evaluate(
      'None',
      `
put("file", "1")
for turn in range(1000):
    text("file"); attempt(text, "missing"); attempt(put, "../static/new", ""); os.stat("file"); os.listdir()
    number = os.open("file", os.O_RDONLY); other = os.dup(number); os.close(number); os.read(other, 1); os.close(other)`,
    )
    expect(count()).toBeLessThan(before + 20)
  })
})

describe('locks between interpreters', () => {
  const path = join(app, 'locked')

  it.each(['fcntl.lockf', 'fcntl.flock'])(
    '%s keeps others out until it is released or the file closed',
    async (lock) => {
      fs.writeFileSync(path, '')
      const open = `file = open(${JSON.stringify(path)}, "r+")`
      const take = `attempt(${lock}, file, fcntl.LOCK_EX | fcntl.LOCK_NB)`
      const other = threads[1] as PyodideThread
      expect(await evaluate(take, open)).toBe('done')
      expect(await evaluate(take, open, other)).toBe('EAGAIN')
      await evaluate('None', `${lock}(file, fcntl.LOCK_UN)`)
      expect(await evaluate(take, '', other)).toBe('done')
      expect(await evaluate(take)).toBe('EAGAIN')
      await evaluate('file.close()', '', other)
      expect(await evaluate(take)).toBe('done')
      await evaluate('file.close()')
    },
  )

  it('who waits for one gets it when it is free', async () => {
    await evaluate(
      'None',
      `file = open(${JSON.stringify(path)}, "r+"); fcntl.lockf(file, fcntl.LOCK_EX)`,
    )
    const other = threads[1] as PyodideThread
    const waiting = evaluate(
      'text(file.name)',
      `import host\nfile = open(${JSON.stringify(path)}, "r+"); host.say("waiting"); ` +
        'fcntl.lockf(file, fcntl.LOCK_EX)',
      other,
    )
    await other.said('waiting')
    await evaluate('None', 'file.write("before"); file.close()')
    expect(await waiting).toBe('before')
    await evaluate('file.close()', '', other)
  })

  it('thousands of transactions on one SQLite file at once lose nothing, though one interpreter is ended in the middle of one', async () => {
    const database = join(app, 'db.sqlite3')
    await evaluate(
      'None',
      `
db = sqlite3.connect(${JSON.stringify(database)})
db.executescript("create table entries (owner, turn); create table counter (value); insert into counter values (0)")
db.close()`,
    )
    const victim = await start(99)
    const doomed = victim.run(`
import sqlite3, host
db = sqlite3.connect(${JSON.stringify(database)}, timeout=60, isolation_level=None)
db.execute("pragma cache_size = 1")
turn = 0
while True:
    db.execute("begin immediate")
    db.execute("update counter set value = value + 1000000")
    db.executemany("insert into entries values (99, ?)", [("x" * 3000,)] * 30)
    turn += 1
    if turn == 3:
        host.say("in the middle")
        while True: pass
    db.execute("rollback")
`)
    doomed.catch(() => {})
    await victim.said('in the middle')
    // Its changes are in the file by now, for its cache holds one page.
    expect(fs.existsSync(`${database}-journal`)).toBe(true)
    const work = (thread: PyodideThread, index: number) =>
      thread.run(`
import sqlite3, host
db = sqlite3.connect(${JSON.stringify(database)}, timeout=60, isolation_level=None)
host.say("begun")
db.execute("pragma synchronous = off")
for turn in range(1000):
    db.execute("begin immediate")
    [[value]] = db.execute("select value from counter")
    db.execute("update counter set value = ?", (value + 1,))
    db.execute("insert into entries values (?, ?)", (${index}, turn))
    db.execute("commit")
db.close()
""`)
    const working = Promise.all(threads.map(work))
    await Promise.all(threads.map((thread) => thread.said('begun')))
    await victim.terminate()
    releaseOwner(table, 99)
    await working
    expect(
      await evaluate(
        '[db.execute(q).fetchall() for q in ("pragma integrity_check", "select value from ' +
          'counter", "select owner, count(distinct turn) from entries group by owner")]',
        `db = sqlite3.connect(${JSON.stringify(database)})`,
      ),
    ).toEqual([
      [['ok']],
      [[3000]],
      [
        [0, 1000],
        [1, 1000],
        [2, 1000],
      ],
    ])
  })

  it("SQLite's write-ahead log is not to be had, and asking for it changes nothing", async () => {
    const database = JSON.stringify(join(app, 'wal.sqlite3'))
    const outcome = await evaluate(
      'json.dumps(outcome)',
      `
import json
outcome = []
db = sqlite3.connect(${database}, isolation_level=None)
outcome += db.execute("pragma journal_mode = wal").fetchall()
db.execute("create table t (a)"); db.execute("insert into t values (1)")
outcome += db.execute("pragma journal_mode").fetchall()
db.close()
db = sqlite3.connect(${database}, isolation_level=None)
outcome += db.execute("pragma journal_mode = wal").fetchall() + db.execute("select a from t").fetchall()
db.close()`,
    )
    expect(JSON.parse(String(outcome))).toEqual([['delete'], ['delete'], ['delete'], [1]])
    expect(python.notices).toEqual([])
  })

  it('a database that has such a log already is opened by a connection that has it to itself, and turned back there', async () => {
    const path = join(app, 'logged.sqlite3')
    const database = JSON.stringify(path)
    const made = await evaluate(
      'json.dumps(outcome)',
      `
import json
db = sqlite3.connect(${database}, isolation_level=None)
db.execute("pragma locking_mode = exclusive")
outcome = db.execute("pragma journal_mode = wal").fetchall()
db.execute("create table t (a)"); db.execute("insert into t values (1)")
db.close()
db = sqlite3.connect(${database}, isolation_level=None)
try: outcome += db.execute("select a from t").fetchall()
except sqlite3.OperationalError as error: outcome.append(str(error))
db.close()`,
    )
    expect(JSON.parse(String(made))).toEqual([['wal'], 'unable to open database file'])
    expect(python.notices).toEqual([
      expect.stringContaining(`${path} is an SQLite database with a write-ahead log`),
    ])
    const turned = await evaluate(
      'json.dumps(outcome)',
      `
db = sqlite3.connect(${database}, isolation_level=None)
db.execute("pragma locking_mode = exclusive")
outcome = db.execute("pragma journal_mode = delete").fetchall()
db.close()
db = sqlite3.connect(${database}, isolation_level=None)
outcome += db.execute("select a from t").fetchall()
db.close()`,
    )
    expect(JSON.parse(String(turned))).toEqual([['delete'], [1]])
    python.notices.length = 0
  })

  it('waiting costs no processor time', async () => {
    const before = process.cpuUsage()
    await evaluate('None', 'import time; time.sleep(1)')
    const { user, system } = process.cpuUsage(before)
    // Half of it at the very least if it went round and round.
    expect((user + system) / 1e6).toBeLessThan(0.5)
  })
})

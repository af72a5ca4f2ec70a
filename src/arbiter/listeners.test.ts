import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { helperPythons } from '../process/helper-python.ts'
import type { BindAddress } from '../settings/bind-address.ts'
import { bindTcp, bindUnix } from '../transport/bound-socket.ts'
import { addressUrl, ListenError, type ListeningSocket, listenAt } from './listeners.ts'

const open: ListeningSocket[] = []
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
})

afterEach(() => {
  for (const listener of open.splice(0)) listener.close()
  rmSync(directory, { recursive: true })
})

async function listen(...addresses: BindAddress[]): Promise<ListeningSocket[]> {
  const pythons = helperPythons(process.env)
  const listeners = await listenAt(addresses, { backlog: 10, pythons })
  open.push(...listeners)
  return listeners
}

function tcp(host: string, port = 0): BindAddress {
  return { kind: 'tcp', host, port }
}

function unix(path: string): BindAddress {
  return { kind: 'unix', path }
}

function portOf(listener: ListeningSocket | undefined): number {
  return listener?.address.kind === 'tcp' ? listener.address.port : -1
}

async function failure(...addresses: BindAddress[]): Promise<string> {
  const error = await listen(...addresses).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(ListenError)
  expect(error).toHaveProperty('code', 'listen')
  const { message } = error as ListenError
  expect(message).not.toContain('\n')
  return message
}

/** Connects; resolves with `connected` or the error's code. */
function knock(to: { port: number; host: string } | { path: string }): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(to)
    socket.once('connect', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
  })
}

/** Accepts from a listener as an acceptor does, and tells each client so. */
async function accept(listener: ListeningSocket): Promise<Server> {
  const server = createServer((socket) => socket.end('accepted'))
  await new Promise<void>((resolve) => server.listen({ fd: listener.fd }, resolve))
  return server
}

function read(to: { port: number; host: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(to)
    socket.on('data', (data) => {
      text += data
    })
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
}

describe('TCP', () => {
  test('port 0 is a free port, which the address tells', async () => {
    const [first, second] = await listen(tcp('127.0.0.1'), tcp('127.0.0.1'))
    expect(portOf(first)).toBeGreaterThan(0)
    expect(portOf(second)).toBeGreaterThan(0)
    expect(portOf(second)).not.toBe(portOf(first))
    expect(first?.requested).toBe('127.0.0.1:0')
    expect(addressUrl(first!)).toBe(`http://127.0.0.1:${portOf(first)}`)
  })

  test('connections wait in the kernel: nobody here accepts them, whoever gets the descriptor does', async () => {
    const [listener] = await listen(tcp('127.0.0.1'))
    const answer = read({ host: '127.0.0.1', port: portOf(listener) })
    // Were this process accepting, it would hang up on the client in one of these turns of the
    // event loop.
    for (let turn = 0; turn < 5; turn++) {
      expect(await knock({ host: '127.0.0.1', port: portOf(listener) })).toBe('connected')
    }
    const server = await accept(listener!)
    expect(await answer).toBe('accepted')
    // The server closes the descriptor, which is the listener's too.
    open.pop()
    await new Promise((resolve) => server.close(resolve))
  })

  test('after close, connections are refused', async () => {
    const [listener] = await listen(tcp('127.0.0.1'))
    open.pop()
    listener?.close()
    expect(await knock({ host: '127.0.0.1', port: portOf(listener) })).toBe('ECONNREFUSED')
  })

  test('a name is resolved, and the address tells where to', async () => {
    const [listener] = await listen(tcp('localhost'))
    expect(listener?.requested).toBe('localhost:0')
    expect(listener?.address).toMatchObject({
      kind: 'tcp',
      host: expect.stringMatching(/^127\.|^::1$/),
    })
    expect(await knock({ host: 'localhost', port: portOf(listener) })).toBe('connected')
  })

  test('a name that nobody knows is explained', async () => {
    expect(await failure(tcp('no-such-host.invalid', 8000))).toMatch(
      /^Cannot listen at no-such-host\.invalid:8000: the name no-such-host\.invalid cannot be resolved\. Use/,
    )
  })

  test('a port in use is explained, although nobody accepts there', async () => {
    const [listener] = await listen(tcp('127.0.0.1'))
    const port = portOf(listener)
    expect(await failure(tcp('127.0.0.1', port))).toBe(
      `Address already in use: 127.0.0.1:${port}. Stop the process that listens there or ` +
        'choose another address with --bind. [MONO3001]',
    )
  })

  test('an address of another machine is explained', async () => {
    expect(await failure(tcp('192.0.2.1', 8000))).toMatch(
      /^Cannot listen at 192\.0\.2\.1:8000: this machine does not have that address\. Use/,
    )
  })

  test.skipIf(process.getuid?.() === 0)('a privileged port is explained', async () => {
    expect(await failure(tcp('127.0.0.1', 1))).toMatch(
      /^Permission denied: 127\.0\.0\.1:1\. Ports below 1024.* \[MONO3010\]$/,
    )
  })

  test('the same address twice is listened at once', async () => {
    const [probe] = await listen(tcp('127.0.0.1'))
    const port = portOf(probe)
    open.pop()?.close()
    expect(await listen(tcp('127.0.0.1', port), tcp('127.0.0.1', port))).toHaveLength(1)
  })

  test('when one address fails, none stays open', async () => {
    const [taken, probe] = await listen(tcp('127.0.0.1'), tcp('127.0.0.1'))
    open.pop()?.close()
    await failure(tcp('127.0.0.1', portOf(probe)), tcp('127.0.0.1', portOf(taken)))
    expect(await listen(tcp('127.0.0.1', portOf(probe)))).toHaveLength(1)
  })
})

const hasIpv6 = await listenAt([tcp('::1')], { backlog: 10 }).then(
  ([listener]) => {
    listener?.close()
    return true
  },
  () => false,
)

describe.skipIf(!hasIpv6)('IPv6', () => {
  test('is shown in brackets', async () => {
    const [listener] = await listen(tcp('::1'))
    expect(addressUrl(listener!)).toBe(`http://[::1]:${portOf(listener)}`)
    expect(await knock({ host: '::1', port: portOf(listener) })).toBe('connected')
  })

  test('every address of both kinds, when [::] is alone', async () => {
    const [listener] = await listen(tcp('::'))
    expect(await knock({ host: '127.0.0.1', port: portOf(listener) })).toBe('connected')
  })

  test('[::] and 0.0.0.0 go together at one port', async () => {
    const [probe] = await listen(tcp('0.0.0.0'))
    open.pop()?.close()
    expect(await listen(tcp('::', portOf(probe)), tcp('0.0.0.0', portOf(probe)))).toHaveLength(2)
  })

  test('a port in use is shown with brackets', async () => {
    const [listener] = await listen(tcp('::1'))
    expect(await failure(tcp('::1', portOf(listener)))).toContain(
      `in use: [::1]:${portOf(listener)}.`,
    )
  })
})

describe('unix sockets', () => {
  test('connections wait until somebody accepts, and the file is gone after close', async () => {
    const path = join(directory, 'site.sock')
    const [listener] = await listen(unix(path))
    expect(lstatSync(path).isSocket()).toBe(true)
    expect(addressUrl(listener!)).toBe(`unix:${path}`)
    expect(await knock({ path })).toBe('connected')
    open.pop()
    listener?.close()
    expect(existsSync(path)).toBe(false)
  })

  test('the umask decides on the file mode', async () => {
    const path = join(directory, 'site.sock')
    await listen(unix(path))
    const umask = process.umask()
    expect(lstatSync(path).mode & 0o777).toBe(0o777 & ~umask)
  })

  test('the file has the given mode and owner when the first client can connect', async () => {
    const path = join(directory, 'site.sock')
    const [listener] = await listenAt([unix(path)], {
      backlog: 10,
      files: { mode: 0o624, uid: process.getuid!(), gid: process.getgid!() },
    })
    open.push(listener!)
    const { mode, uid, gid } = lstatSync(path)
    expect([mode & 0o777, uid, gid]).toEqual([0o624, process.getuid!(), process.getgid!()])
  })

  test.skipIf(process.getuid?.() !== 0)('root gives the file away', async () => {
    const path = join(directory, 'site.sock')
    const files = { mode: 0o600, uid: 12345, gid: 54321 }
    open.push(...(await listenAt([unix(path)], { backlog: 10, files })))
    expect(lstatSync(path)).toMatchObject({ uid: 12345, gid: 54321 })
  })

  test('a file that may not be given away is explained, and removed', async () => {
    const before = process.cwd()
    const isRoot = process.getuid?.() === 0
    // Another user may not look into the folders above it.
    process.chdir(directory)
    chmodSync(directory, 0o777)
    // Root may give away everything.
    if (isRoot) process.seteuid?.(65534)
    const listened = listenAt([unix('site.sock')], {
      backlog: 10,
      files: { mode: 0o600, uid: 0, gid: 0 },
    }).catch((error: Error) => error.message)
    const text = await listened
    if (isRoot) process.seteuid?.(0)
    process.chdir(before)
    expect(text).toBe(
      'Cannot listen at unix:site.sock: the socket cannot be given to user 0, group 0 (EPERM). ' +
        'Only root may do that; a user may choose a group that it is a member of. [MONO3005]',
    )
    expect(existsSync(join(directory, 'site.sock'))).toBe(false)
  })

  test('any other refusal of the system is named', async () => {
    const loop = join(directory, 'loop')
    symlinkSync(loop, loop)
    expect(await failure(unix(join(loop, 'site.sock')))).toBe(
      `Cannot listen at unix:${loop}/site.sock: too many symbolic links encountered (ELOOP). ` +
        '[MONO3012]',
    )
  })

  test.runIf(process.platform === 'linux')('an abstract name is no file', async () => {
    const path = `\0monoceros-test-${process.pid}`
    const [listener] = await listen(unix(path))
    expect(addressUrl(listener!)).toBe(`unix:@${path.slice(1)}`)
    // Exactly that name, without zero bytes after it.
    expect(readFileSync('/proc/net/unix', 'latin1')).toContain(` @${path.slice(1)}\n`)
    expect(await failure(unix(path))).toMatch(/^Address already in use: unix:@/)
  })

  test('a socket that a dead server left behind is replaced', async () => {
    const path = join(directory, 'site.sock')
    const kept = join(directory, 'kept.sock')
    const server = createServer().listen(path)
    await new Promise((resolve) => server.once('listening', resolve))
    // A second name keeps the file when the server removes the first.
    linkSync(path, kept)
    await new Promise((resolve) => server.close(resolve))
    renameSync(kept, path)
    expect(await knock({ path })).toBe('ECONNREFUSED')
    await listen(unix(path))
    expect(await knock({ path })).toBe('connected')
  })

  test('a socket that is served is refused and left alone', async () => {
    const path = join(directory, 'site.sock')
    const server = createServer((socket) => socket.end()).listen(path)
    await new Promise((resolve) => server.once('listening', resolve))
    expect(await failure(unix(path))).toMatch(/^Address already in use: unix:.*site\.sock\. Stop/)
    expect(await knock({ path })).toBe('connected')
    await new Promise((resolve) => server.close(resolve))
  })

  test('a server whose application still loads counts as serving', async () => {
    const path = join(directory, 'site.sock')
    await listen(unix(path))
    expect(await failure(unix(path))).toMatch(/^Address already in use/)
    expect(existsSync(path)).toBe(true)
  })

  test('a file, a directory and a link are refused and left alone', async () => {
    const file = join(directory, 'notes.txt')
    writeFileSync(file, 'precious')
    expect(await failure(unix(file))).toMatch(/the path is a file, not a socket\. Remove/)
    expect(existsSync(file)).toBe(true)
    expect(await failure(unix(directory))).toMatch(/the path is a directory, not a socket/)
    const link = join(directory, 'link.sock')
    symlinkSync('/nowhere', link)
    expect(await failure(unix(link))).toMatch(/, not a socket/)
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
  })

  test('a missing directory is named', async () => {
    expect(await failure(unix(join(directory, 'absent', 'site.sock')))).toContain(
      `the directory ${join(directory, 'absent')} does not exist.`,
    )
  })

  test.skipIf(process.getuid?.() === 0)(
    'a directory that may not be written is named',
    async () => {
      chmodSync(directory, 0o500)
      expect(await failure(unix(join(directory, 'site.sock')))).toContain(
        `allowed to write to ${directory}.`,
      )
      chmodSync(directory, 0o700)
    },
  )

  test('a path that is too long is refused, not cut off', async () => {
    const path = join(directory, 'x'.repeat(120))
    expect(await failure(unix(path))).toMatch(
      /the path of a unix socket has at most 10[37] bytes, this one has \d+\./,
    )
  })

  test('the longest path works', async () => {
    const longest = process.platform === 'linux' ? 107 : 103
    const path = join(directory, 'x').padEnd(longest, 'x')
    await listen(unix(path))
    expect(await knock({ path })).toBe('connected')
  })

  test('a file that replaced ours survives our close', async () => {
    const path = join(directory, 'site.sock')
    const [listener] = await listen(unix(path))
    open.pop()
    rmSync(path)
    const successor = createServer((socket) => socket.end()).listen(path)
    await new Promise((resolve) => successor.once('listening', resolve))
    listener?.close()
    expect(await knock({ path })).toBe('connected')
    await new Promise((resolve) => successor.close(resolve))
  })
})

describe('sockets that the process was started with', () => {
  // Their handles stay open, as the descriptors of another program would.
  test('are listened on under their own address', async () => {
    const given = bindTcp('127.0.0.1', 4, 0, { backlog: 10 })
    const [listener] = await listen({ kind: 'fd', fd: given.fd })
    expect(listener).toMatchObject({
      requested: `fd://${given.fd}`,
      fd: given.fd,
      address: { kind: 'tcp', host: '127.0.0.1', port: given.port },
    })
    expect(await knock({ port: given.port, host: '127.0.0.1' })).toBe('connected')
  })

  test.runIf(process.platform === 'linux')('keep their file when they are closed', async () => {
    const path = join(directory, 'given.sock')
    const given = bindUnix(path, { backlog: 10 })
    const [listener] = await listen({ kind: 'fd', fd: given.fd })
    expect(listener?.address).toEqual({ kind: 'unix', path })
    open.pop()?.close()
    expect(existsSync(path)).toBe(true)
  })

  test('a descriptor that is closed, or a file, is refused', async () => {
    expect(await failure({ kind: 'fd', fd: 9999 })).toMatch(
      /^Cannot listen at fd:\/\/9999.* \[MONO3003\]$/,
    )
    const file = openSync(join(directory, 'file'), 'w')
    expect(await failure({ kind: 'fd', fd: file })).toMatch(/is not a socket that listens/)
  })
})

import { execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { hasPython, sitePackages } from '../support/python.ts'

// What programs find of a process, a machine and a network in the embedded Python. One interpreter
// for all of it.

const NO_NETWORK = 'the embedded Python has no network; use an installed Python (--runtime cpython)'
const NO_SERVER =
  'the embedded Python has no network, so no server can listen in it; Monoceros itself'

const program = `
import asyncio, errno, ftplib, getpass, grp, io, pwd, http.client, imaplib, json, logging, logging.handlers, os, platform, poplib, smtplib, socket, socketserver, ssl
import sys, threading, urllib.request, wsgiref.simple_server, xmlrpc.client

def attempt(action):
    try:
        return ["no error", repr(action())]
    except Exception as error:
        return [type(error).__name__, str(error), isinstance(error, OSError)]

async def within(action):
    return await action(asyncio.get_running_loop())

NAME, ADDRESS = ("monoceros.invalid", 80), ("127.0.0.1", 9)
context = ssl.create_default_context()
reach = dict(
    create_connection=lambda: socket.create_connection(ADDRESS, timeout=5),
    by_name=lambda: socket.create_connection(NAME, timeout=5),
    connect_ex=lambda: socket.socket().connect_ex(ADDRESS),
    datagram=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ADDRESS),
    unix=lambda: socket.socket(socket.AF_UNIX).connect("/dev/log"),
    pair=socket.socketpair,
    resolve=lambda: socket.gethostbyname(NAME[0]),
    resolve_address=lambda: socket.gethostbyaddr("192.0.2.1"),
    tls=lambda: context.wrap_socket(socket.socket(), server_hostname="x").connect(ADDRESS),
    tls_in_memory=lambda: context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()),
    certificate=lambda: ssl.get_server_certificate(ADDRESS),
    http=lambda: http.client.HTTPConnection(*ADDRESS).request("GET", "/"),
    https=lambda: http.client.HTTPSConnection(*NAME).request("GET", "/"),
    urllib=lambda: urllib.request.urlopen("https://127.0.0.1:9/"),
    xmlrpc=lambda: xmlrpc.client.ServerProxy("http://127.0.0.1:9").any(),
    smtp=lambda: smtplib.SMTP(*ADDRESS),
    smtps=lambda: smtplib.SMTP_SSL(*NAME),
    ftp=lambda: ftplib.FTP(NAME[0]),
    pop=lambda: poplib.POP3(*ADDRESS),
    imap=lambda: imaplib.IMAP4(*ADDRESS),
)
loop = dict(
    open_connection=lambda loop: asyncio.open_connection(*ADDRESS),
    open_connection_by_name=lambda loop: asyncio.open_connection(*NAME),
    create_connection=lambda loop: loop.create_connection(asyncio.Protocol, *ADDRESS, ssl=context),
    create_datagram_endpoint=lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=ADDRESS),
    create_unix_connection=lambda loop: loop.create_unix_connection(asyncio.Protocol, "/tmp/x"),
    getaddrinfo=lambda loop: loop.getaddrinfo(*NAME),
    sock_connect=lambda loop: loop.sock_connect(socket.socket(), ADDRESS),
    sock_recv=lambda loop: loop.sock_recv(socket.socket(), 1),
    sock_sendall=lambda loop: loop.sock_sendall(socket.socket(), b"x"),
)
serve = dict(
    bind=lambda: socket.socket().bind(("127.0.0.1", 0)),
    listen=lambda: socket.socket().listen(),
    create_server=lambda: socket.create_server(("127.0.0.1", 0)),
    reused=lambda: socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) or socket.create_server(("", 0)),
    socketserver=lambda: socketserver.TCPServer(("127.0.0.1", 0), None),
    datagrams=lambda: socketserver.UDPServer(("127.0.0.1", 0), None),
    wsgiref=lambda: wsgiref.simple_server.make_server("", 0, None),
    start_server=lambda: asyncio.run(within(lambda loop: asyncio.start_server(print, "127.0.0.1", 0))),
)
clients = {}
try:
    import requests, urllib3
    clients = dict(
        requests=lambda: requests.get("http://monoceros.invalid/"),
        requests_tls=lambda: requests.get("https://127.0.0.1:9/"),
        urllib3=lambda: urllib3.request("GET", "http://monoceros.invalid/"),
        urllib3_tls=lambda: urllib3.PoolManager(retries=False).request("GET", "https://127.0.0.1:9/"),
        urllib3_proxy=lambda: urllib3.ProxyManager("http://127.0.0.1:9", retries=False).request("GET", "http://x/"),
    )
except ModuleNotFoundError:
    pass
# A logger that is set up for syslog does no harm, and says what is the matter as on a system
# without one.
complaint, sys.stderr = sys.stderr, io.StringIO()
logging.handlers.SysLogHandler("/dev/log").emit(logging.makeLogRecord({"msg": "x"}))
complaint, sys.stderr = sys.stderr.getvalue().splitlines(), complaint

def failure(action):
    try:
        action()
    except OSError as error:
        again = OSError(error.errno, os.strerror(error.errno), error.filename)
        return [type(error).__name__, errno.errorcode[error.errno], error.errno == getattr(errno, errno.errorcode[error.errno]),
                type(again) is type(error), str(again) == str(error)]

os.makedirs("folder/inner")
with open("file", "w"):
    pass
os.symlink("loop", "loop")
failures = [failure(action) for action in (
    lambda: open("nothere"),
    lambda: os.mkdir("folder"),
    lambda: os.listdir("file"),
    lambda: open("folder"),
    lambda: os.rmdir("folder"),
    lambda: os.stat("loop"),
    lambda: os.stat("x" * 300),
    lambda: os.readlink("file"),
    lambda: os.close(999),
)]
kinds = {name: type(OSError(getattr(errno, name), "")).__name__ for name in (
    "EAGAIN EALREADY EINPROGRESS EPIPE ESHUTDOWN ECHILD ECONNABORTED ECONNREFUSED ECONNRESET EEXIST ENOENT EISDIR ENOTDIR EINTR "
    "EACCES EPERM ESRCH ETIMEDOUT EINVAL").split()}

answers = dict(
    failures=failures,
    syslog=[line for line in complaint if "Error" in line],
    kinds=kinds,
    reach={name: attempt(action) for name, action in reach.items()},
    loop={name: attempt(lambda: asyncio.run(within(action))) for name, action in loop.items()},
    serve={name: attempt(action) for name, action in serve.items()},
    clients={name: attempt(action) for name, action in clients.items()},
    programs=attempt(lambda: asyncio.run(within(lambda loop: asyncio.create_subprocess_exec("ls")))),
    local=[socket.gethostbyname("localhost"), socket.gethostbyname(socket.gethostname()),
           [found[4] for found in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)]],
    names=[socket.gethostname(), socket.getfqdn(), platform.node(), os.uname().nodename],
    process=[os.getpid(), os.getppid(), logging.makeLogRecord({}).process or logging.LogRecord("", 0, "", 0, "", (), None).process],
    users=[os.getuid(), os.geteuid(), os.getgid(), os.getegid(), sorted(os.getgroups())],
    thread=threading.get_native_id(),
    threads=[threading.current_thread().native_id, threading.main_thread().native_id, threading.Thread().native_id],
    processors=[os.cpu_count(), len(os.sched_getaffinity(0))],
    load=[type(value).__name__ for value in os.getloadavg()],
    random=len(os.getrandom(8)),
    owner=os.stat(".").st_uid == os.getuid(),
    accounts=[getpass.getuser(), pwd.getpwuid(os.getuid()), pwd.getpwnam(getpass.getuser()).pw_shell, len(pwd.getpwall()),
              [grp.getgrgid(os.getgid()).gr_name, grp.getgrnam(grp.getgrgid(os.getgid()).gr_name).gr_gid]],
    strangers=[attempt(action) for action in (
        lambda: pwd.getpwuid(2**31 - 7), lambda: pwd.getpwnam("nobody at all"), lambda: grp.getgrgid(2**31 - 7),
        lambda: grp.getgrnam("nobody at all"), lambda: pwd.getpwuid("0"))],
)
# Nobody else has this number, and what a program sends to itself it gets.
os.kill(os.getpid(), 0)
answers["others"] = attempt(lambda: os.kill(1, 0))[0]
print(json.dumps(answers), flush=True)
sys.stdin.read()
`

type Attempt = [kind: string, message: string, isOSError: boolean]
interface Answers {
  readonly [group: string]: unknown
  readonly reach: Record<string, Attempt>
  readonly loop: Record<string, Attempt>
  readonly serve: Record<string, Attempt>
  readonly clients: Record<string, Attempt>
}

let answers: Answers
let child: { pid: number; isThread: boolean }
const directory = temporaryDirectory()

beforeAll(async () => {
  const { PATH, HOME, MONOCEROS_CACHE } = process.env
  const started = spawn(
    process.execPath,
    [
      commandPath,
      'python',
      ...(hasPython() ? ['--pythonpath', sitePackages()] : []),
      '-c',
      program,
    ],
    { cwd: directory.path, env: { PATH, HOME, MONOCEROS_CACHE }, stdio: ['pipe', 'pipe', 'pipe'] },
  )
  try {
    const errors = text(started.stderr)
    const line = await new Promise<string>((resolve) => {
      let shown = ''
      started.stdout.setEncoding('utf8').on('data', (part: string) => {
        shown += part
        if (shown.includes('\n')) resolve(shown)
      })
      started.on('close', () => resolve(shown))
    })
    const ended = line.includes('\n') ? '' : await errors
    expect(ended).toBe('')
    answers = JSON.parse(line) as Answers
    const pid = started.pid as number
    // While it runs: the number is one of its threads.
    child = { pid, isThread: existsSync(join('/proc', `${pid}`, 'task', `${answers.thread}`)) }
  } finally {
    started.kill('SIGKILL')
    directory.remove()
  }
})

describe('whoever opens a connection is told that there is no network', () => {
  test('by sockets and what the standard library makes of them', () => {
    for (const [name, attempt] of Object.entries(answers.reach))
      expect([name, ...attempt]).toEqual([
        name,
        expect.any(String),
        expect.stringContaining(NO_NETWORK),
        true,
      ])
    expect(answers.reach.by_name?.[0]).toBe('gaierror')
    expect(answers.reach.resolve_address?.[0]).toBe('herror')
  })

  test('by a logger for syslog, which does no more harm than on a system without one', () => {
    expect((answers.syslog as string[]).at(-1)).toContain(NO_NETWORK)
  })

  test('by event loops', () => {
    for (const [name, attempt] of Object.entries(answers.loop))
      expect([name, ...attempt]).toEqual([
        name,
        expect.any(String),
        expect.stringContaining(NO_NETWORK),
        true,
      ])
    expect(answers.programs).toEqual([
      'OSError',
      expect.stringContaining('the embedded Python cannot run other programs'),
      true,
    ])
  })

  test('when it would listen, with what to do instead', () => {
    for (const [name, attempt] of Object.entries(answers.serve))
      expect([name, ...attempt]).toEqual([
        name,
        'OSError',
        expect.stringContaining(NO_SERVER),
        true,
      ])
  })

  // urllib3 takes Emscripten for a browser, and says which flags of Node.js would help it.
  test.skipIf(!hasPython())('by urllib3 and requests, in their own exceptions', () => {
    for (const [name, [, message]] of Object.entries(answers.clients)) {
      expect([name, message]).toEqual([name, expect.stringContaining(NO_NETWORK)])
      expect(message).not.toMatch(/Node|pyodide|flag/)
    }
    expect(Object.entries(answers.clients).map(([name, [kind]]) => [name, kind])).toEqual([
      ['requests', 'ConnectionError'],
      ['requests_tls', 'ConnectionError'],
      ['urllib3', 'MaxRetryError'],
      ['urllib3_tls', 'NewConnectionError'],
      ['urllib3_proxy', 'ProxyError'],
    ])
  })

  test('and the names of this machine lead to itself', () => {
    expect(answers.local).toEqual(['127.0.0.1', '127.0.0.1', [['127.0.0.1', 80]]])
  })
})

describe('the numbers of errors are WebAssembly’s, and', () => {
  test('errno, OSError, its classes and os.strerror agree on them', () => {
    const agreeing = (kind: string, name: string) => [kind, name, true, true, true]
    expect(answers.failures).toEqual([
      agreeing('FileNotFoundError', 'ENOENT'),
      agreeing('FileExistsError', 'EEXIST'),
      agreeing('NotADirectoryError', 'ENOTDIR'),
      agreeing('IsADirectoryError', 'EISDIR'),
      agreeing('OSError', 'ENOTEMPTY'),
      agreeing('OSError', 'ELOOP'),
      agreeing('OSError', 'ENAMETOOLONG'),
      agreeing('OSError', 'EINVAL'),
      agreeing('OSError', 'EBADF'),
    ])
  })

  test('an OSError that is made of a name is of the class that it is on Linux', () => {
    expect(answers.kinds).toEqual({
      EAGAIN: 'BlockingIOError',
      EALREADY: 'BlockingIOError',
      EINPROGRESS: 'BlockingIOError',
      EPIPE: 'BrokenPipeError',
      ESHUTDOWN: 'BrokenPipeError',
      ECHILD: 'ChildProcessError',
      ECONNABORTED: 'ConnectionAbortedError',
      ECONNREFUSED: 'ConnectionRefusedError',
      ECONNRESET: 'ConnectionResetError',
      EEXIST: 'FileExistsError',
      ENOENT: 'FileNotFoundError',
      EISDIR: 'IsADirectoryError',
      ENOTDIR: 'NotADirectoryError',
      EINTR: 'InterruptedError',
      EACCES: 'PermissionError',
      EPERM: 'PermissionError',
      ESRCH: 'ProcessLookupError',
      ETIMEDOUT: 'TimeoutError',
      EINVAL: 'OSError',
    })
  })
})

describe('who merely asks is answered', () => {
  test('with the process’s number, its parent’s and its user’s', () => {
    expect(answers.process).toEqual([child.pid, process.pid, child.pid])
    expect(answers.users).toEqual([
      process.getuid?.(),
      process.geteuid?.(),
      process.getgid?.(),
      process.getegid?.(),
      process.getgroups?.().sort((a, b) => a - b),
    ])
    expect(answers.owner).toBe(true)
    expect(answers.others).toMatch(/Error$/)
  })

  test('with the names of its user and group, and of no other', () => {
    const { username, uid, gid, shell } = userInfo()
    expect(answers.accounts).toEqual([
      username,
      [username, 'x', uid, gid, '', process.env.HOME, shell],
      shell,
      1,
      [execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim(), gid],
    ])
    expect(answers.strangers).toEqual([
      ['KeyError', `'getpwuid(): uid not found: 2147483641'`, false],
      ['KeyError', `"getpwnam(): name not found: 'nobody at all'"`, false],
      ['KeyError', `'getgrgid(): gid not found: 2147483641'`, false],
      ['KeyError', `"getgrnam(): name not found: 'nobody at all'"`, false],
      ['TypeError', 'getpwuid(): uid should be int, not str', false],
    ])
  })

  test('with the thread’s number', () => {
    expect(answers.threads).toEqual([answers.thread, answers.thread, null])
    expect(child.isThread).toBe(true)
  })

  test('with the machine’s name, its load, and the one processor that an interpreter can use', () => {
    expect(answers.names).toEqual(Array(4).fill(hostname()))
    expect(answers.processors).toEqual([1, 1])
    expect(answers.load).toEqual(['float', 'float', 'float'])
    expect(answers.random).toBe(8)
  })
})

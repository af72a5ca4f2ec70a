import type { MessageRow } from '../row.ts'

/** `MONO5xxx`: workers, acceptors, reloads, upgrades, the control socket and hooks. */
export const processesRows = {
  MONO5001: {
    title: 'A worker has ended',
    level: 'error',
    line: 'Worker … killed by …',
    cause: `A worker ended although nobody told it to: the system killed it, often for lack of
      memory (SIGKILL), compiled code crashed (SIGSEGV, SIGABRT), or the application called
      \`os._exit\` (\`exited with status …\`). Its requests were answered 502, which
      [MONO4012](MONO4012.md) logs for each, and another worker is started.`,
    example: {
      run: 'kill -9 4711   # a worker',
      shows: 'Worker 4711 killed by SIGKILL (perhaps out of memory)',
    },
    cure: `\`dmesg\` shows what the system killed. \`--max-worker-memory\` replaces workers
      before they are too large, and \`PYTHONFAULTHANDLER=1\` shows crashes.`,
    test: 'src/runtimes/workers/pool.test.ts',
  },
  MONO5002: {
    title: 'A worker did not end in time',
    level: 'warning',
    line: 'Worker … did not exit in time; killing it',
    cause: 'The server stops, and the worker still works on a request, or its threads do not end.',
    example: {
      run: 'kill -TERM 4700   # the server',
      shows: 'Worker 4711 did not exit in time; killing it',
    },
    cure: `Raise \`--graceful-timeout\` for long requests. Threads of the application should be
      daemons.`,
    test: 'src/runtimes/workers/pool.test.ts',
  },
  MONO5003: {
    title: 'A new worker could not start',
    level: 'error',
    line: 'A new worker could not start; trying again',
    cause: `The application was loaded before and cannot be now: its files have changed, or a
      service that it needs while it is loaded is down. The reason is below the line.`,
    example: {
      run: 'kill -9 4711   # a worker, after shop.py was broken',
      shows: 'A new worker could not start; trying again',
    },
    cure: `Correct what the next lines name. The workers that are left go on, and the server tries
      again, after longer and longer pauses; \`monoceros ctl reload\` tries at once.`,
    test: 'src/runtimes/workers/pool-loading.test.ts',
  },
  MONO5004: {
    title: 'The process that forks workers has ended or hangs',
    level: 'error',
    line: `Preload parent … …. Its workers go on; the next worker waits until another parent has
      loaded …`,
    cause: `With \`--preload\`, a process loads the application and forks workers. It was
      killed, or does not answer.`,
    example: {
      run: 'kill -9 4710   # the preload parent',
      shows: 'Preload parent 4710 killed by SIGKILL. Its workers go on; …',
    },
    cure: `Look for what ends it: a lack of memory, or threads that the application starts while
      it is loaded.`,
    test: 'tests/e2e/preload.test.ts',
  },
  MONO5005: {
    title: 'A worker broke the protocol',
    level: 'error',
    line: 'Killing the worker: it broke the protocol: …',
    cause: `Something in the worker wrote to the channel to its acceptor: code that closes or
      writes to descriptors it has not opened.`,
    example: {
      files: {
        'cart.py':
          'import os\n\n\ndef app(environ, start_response):\n' +
          '    os.write(3, b"x" * 100)\n    return []\n',
      },
      run: 'monoceros cart:app',
      shows: 'Killing the worker: it broke the protocol: …',
    },
    cure: `Look for \`os.close\`, \`os.write\` and \`os.closerange\` in the application and its
      packages. Otherwise, please report it.`,
    test: 'src/runtimes/workers/worker.test.ts',
  },
  MONO5006: {
    title: 'A worker ended before it served',
    level: 'error',
    line: 'A worker … before it was ready',
    cause: `The worker was killed or crashed while it loaded the application, or could not be
      started at all.`,
    example: {
      files: { 'cart.py': 'import os\n\nos._exit(7)\n' },
      run: 'monoceros cart:app',
      shows: '…A worker exited with status 7 …',
    },
    cure: 'Load the application in a plain Python: `python -X faulthandler -c "import cart"`.',
    test: 'examples',
  },
  MONO5007: {
    title: 'Threads were started before the workers were forked',
    level: 'warning',
    line: `The application has a thread at the fork (preload_app), and no worker will have any
      of them. …`,
    cause: `With \`--preload\`, workers are copies of one process, and a copy has only the
      thread that made it.`,
    example: {
      run: 'monoceros --preload shop:app',
      shows: `The application has a thread at the fork (preload_app), and no worker will have
        any of them. …`,
    },
    cure: 'Start threads in the hook `post_fork`, or when they are first needed.',
    test: 'tests/e2e/preload.test.ts',
  },
  MONO5008: {
    title: 'A worker is too large from the start',
    level: 'warning',
    line: 'Worker … … before its first request. It stays until it has one',
    cause: 'The application alone takes more memory than `max_worker_memory`.',
    example: {
      run: 'monoceros --max-worker-memory 20M shop:app',
      shows: 'Worker 4711 … before its first request. It stays until it has one',
    },
    cure: 'Raise `--max-worker-memory` well above what a worker has after its start.',
    test: 'src/runtimes/workers/recycling-watch.test.ts',
  },
  MONO5009: {
    title: 'The embedded Python is close to its memory limit',
    level: 'warning',
    line: `The interpreter has … of memory, close to its limit (…): Python raises MemoryError if
      it needs more`,
    cause: 'The interpreter of a worker has grown up to `worker_memory`.',
    example: {
      run: 'monoceros --runtime pyodide --worker-memory 128M shop:app',
      shows: 'The interpreter has 120 MiB of memory, close to its limit (128 MiB): …',
    },
    cure: 'Raise `--worker-memory`, or look for what grows.',
    test: 'tests/embedded/pyodide-worker.test.ts',
  },
  MONO5010: {
    title: 'The embedded interpreter broke down',
    level: 'error',
    line: 'The interpreter broke down. …',
    cause: `The interpreter of a worker has met an error that it cannot go on from, such as a stack
      that is too deep or no memory. Its request was answered 502, and a new one is started.`,
    example: {
      run: 'monoceros --runtime pyodide shop:app',
      shows: 'The interpreter broke down. Stack (most recent call first):',
    },
    cure: `The stack below the line shows where the application was. Recursion without an end is a usual reason;
      otherwise, please report it.`,
    test: 'tests/embedded/pyodide-worker.test.ts',
  },
  MONO5011: {
    title: 'A worker got what it does not understand',
    level: 'error',
    line: 'monoceros worker: the acceptor sent …',
    cause: `What came on the channel between the acceptor and the worker was not in its protocol.
      The worker has ended, and another takes its place. Usually something else wrote to the
      channel, or the files of Monoceros were replaced while it ran.`,
    example: {
      run: 'monoceros shop:app',
      shows: 'monoceros worker: the acceptor sent …',
    },
    cure: `Restart the server after you have installed another version. Look for \`os.write\` and
      \`os.closerange\` in the application. Otherwise, please report it.`,
    test: 'python/tests/test_worker.py',
  },
  MONO5012: {
    title: 'A greenlet of the application raised what ends a program',
    level: 'warning',
    line: 'monoceros worker: a greenlet raised …',
    cause: `With worker_class gevent, a greenlet that the application has started raised
      SystemExit, or another error that is meant to end the program. Only that greenlet has ended,
      as only the thread would have ended with threads.`,
    example: {
      files: {
        'cart.py':
          'import sys\n\nimport gevent\n\n\ndef app(environ, start_response):\n' +
          '    gevent.spawn(sys.exit)\n' +
          '    start_response("200 OK", [])\n    return [b""]\n',
      },
      run: 'monoceros --worker-class gevent cart:app',
      shows: 'monoceros worker: a greenlet raised SystemExit',
    },
    cure: `Catch the error in the greenlet. A greenlet that is done returns; it does not call
      \`sys.exit\`.`,
    test: 'python/tests/test_gevent_worker.py',
  },
  MONO5101: {
    title: 'An acceptor has ended',
    level: 'error',
    line: 'Acceptor … …; starting a replacement',
    cause: `The process that talks to clients was killed, ran out of memory, or, with a
      TypeScript application, was ended by it.`,
    example: {
      run: 'kill -9 4705   # an acceptor',
      shows: 'Acceptor 4705 was killed by SIGKILL; starting a replacement',
    },
    cure: `\`dmesg\` shows what the system killed. \`process.exit\` in a TypeScript application
      ends its acceptor.`,
    test: 'src/arbiter/arbiter.test.ts',
  },
  MONO5102: {
    title: 'An acceptor could not start',
    level: 'error',
    line: 'Acceptor … could not start; starting a replacement in … s',
    cause: `The line before has the reason: a file that cannot be opened, a lack of memory or
      processes.`,
    example: {
      run: 'monoceros shop:app',
      shows: 'Acceptor 4705 could not start; starting a replacement in 1 s',
    },
    cure: 'Correct the reason. The server tries again, after longer and longer pauses.',
    test: 'src/arbiter/arbiter.test.ts',
  },
  MONO5103: {
    title: 'An acceptor is replaced',
    level: 'warning',
    line: 'Acceptor … is leaving; starting a replacement',
    cause: `The acceptor has asked for a replacement: an uncaught error, or a lack of
      descriptors. A line before says why.`,
    example: {
      run: 'monoceros ./shop.ts',
      shows: 'Acceptor 4705 is leaving; starting a replacement',
    },
    cure: 'Correct what the line before names.',
    test: 'src/arbiter/arbiter.test.ts',
  },
  MONO5104: {
    title: 'An acceptor did not stop in time',
    level: 'error',
    line: 'Acceptor did not stop within … s (graceful_timeout); ending it',
    cause: 'The server stops or reloads, and the end of the acceptor takes longer than it may.',
    example: {
      run: 'kill -TERM 4700   # the server',
      shows: 'Acceptor did not stop within 30 s (graceful_timeout); ending it',
    },
    cure: 'Raise `--graceful-timeout` if requests take that long. Otherwise, please report it.',
    test: 'src/acceptor/acceptor-process.test.ts',
  },
  MONO5105: {
    title: 'The TypeScript application blocked its process',
    level: 'critical',
    line: `Acceptor …: the application blocked the event loop for more than … s (timeout);
      killing the process. …`,
    cause: `A TypeScript application runs in the event loop of its process, and a loop or a
      synchronous call has kept it busy for \`timeout\` seconds, so nobody was answered.`,
    example: {
      run: 'monoceros --timeout 5 ./shop.ts',
      shows: 'Acceptor 4705: the application blocked the event loop for more than 5 s (timeout); …',
    },
    cure: `The stack shows where. Use asynchronous calls, or a worker thread for long
      computations.`,
    test: 'tests/e2e/typescript-server.test.ts',
  },
  MONO5106: {
    title: 'The arbiter is gone',
    level: 'warning',
    line: 'The arbiter is gone; stopping',
    cause: 'The process that was started, and that all others belong to, was killed.',
    example: {
      run: 'kill -9 4700   # the server',
      shows: 'The arbiter is gone; stopping',
    },
    cure: 'Stop the server with TERM, not with KILL. If the system killed it, look at its memory.',
    test: 'tests/e2e/what-happens-when.test.ts',
  },
  MONO5107: {
    title: 'The TypeScript application has an uncaught error',
    level: 'critical',
    line: 'Uncaught error in the application; replacing its process',
    cause: `An error was thrown where nobody catches it: in a timer, an event listener or a
      promise that nobody waits for. What the process has in memory may be wrong now, so it is
      replaced.`,
    example: {
      files: {
        'cart.mjs':
          "setTimeout(() => { throw new Error('lost') }, 1000)\nexport const app = () => []\n",
      },
      run: 'monoceros ./cart.mjs',
      shows: 'Uncaught error in the application; replacing its process',
    },
    cure: 'Correct the place in the stack, and wait for every promise.',
    test: 'tests/e2e/typescript-server.test.ts',
  },
  MONO5201: {
    title: 'The server cannot reload',
    level: 'warning',
    line: '…: cannot reload. The server is still starting; restart it instead',
    cause: `The server was told to reload before it served for the first time: its application is
      still being loaded.`,
    example: {
      run: 'kill -HUP 4700   # the server',
      shows: 'SIGHUP: cannot reload. The server is still starting; restart it instead',
    },
    cure: `Wait until the log says that it listens, or restart it. If it does not come to that,
      [MONO2021](MONO2021.md) shows where the application hangs.`,
    test: 'src/arbiter/arbiter.test.ts',
  },
  MONO5202: {
    title: 'A reload has failed',
    level: 'error',
    line: 'Reload failed; the previous application and settings stay in use',
    cause: `The line before has the reason: a mistake in the settings, or an application that
      cannot be loaded. Clients notice nothing.`,
    example: {
      run: 'kill -HUP 4700   # the server, after shop.py was broken',
      shows: 'Reload failed; the previous application and settings stay in use',
    },
    cure: 'Correct the reason, and reload again. `monoceros --check-config` finds it before.',
    test: 'src/arbiter/arbiter.test.ts',
  },
  MONO5203: {
    title: 'Something was given up, because the server stops or reloads',
    level: 'error',
    line: 'The server is stopping',
    cause: `A reload or a start was under way when the server was told to stop, or to reload
      once more.`,
    example: {
      run: 'monoceros ctl reload',
      shows: 'monoceros ctl: The server is stopping',
    },
    cure: 'Nothing: what was asked for last is done.',
    test: 'src/runtimes/workers/pool-starts.test.ts',
  },
  MONO5211: {
    title: '--reload cannot watch all files',
    level: 'warning',
    line: '--reload: the system has no watches left (…); looking at the files every … s instead',
    cause: `The system bounds how many files all programs may watch, and the folder has more, or
      the bound is reached.`,
    example: {
      run: 'monoceros --reload shop:app',
      shows: '--reload: the system has no watches left (ENOSPC; fs.inotify.max_user_watches, …',
    },
    cure: `\`sysctl fs.inotify.max_user_watches=524288\`, or start the server in the folder of
      the application only.`,
    test: 'tests/release/reload-polling.test.ts',
  },
  MONO5301: {
    title: 'No other server is started for an upgrade',
    level: 'warning',
    line: '…: not starting another server. …',
    cause: `An upgrade is under way already, or the server before still runs, or this one cannot
      be upgraded.`,
    example: {
      run: 'kill -USR2 4700; kill -USR2 4700',
      shows: 'SIGUSR2: not starting another server. The new server (4720) is there already',
    },
    cure: 'Finish the first upgrade: TERM to the old server, or to the new one to go back.',
    test: 'tests/e2e/upgrade.test.ts',
  },
  MONO5302: {
    title: 'An upgrade has failed',
    level: 'error',
    line: 'Upgrade failed; this server goes on. …',
    cause: 'The new server ended before it served. Its own log, and the end of the line, say why.',
    example: {
      run: 'kill -USR2 4700   # after shop.py was broken',
      shows: `Upgrade failed; this server goes on. The new server (4720) exited with status 3
        before it served`,
    },
    cure: 'Correct the reason, and upgrade again. The old server has served all the time.',
    test: 'tests/e2e/upgrade.test.ts',
  },
  MONO5401: {
    title: 'There is no control socket',
    level: 'warning',
    line: 'There is no control socket for monoceros ctl: …',
    cause: `The folder of the socket cannot be made, belongs to somebody else, or the path is
      taken.`,
    example: {
      run: 'monoceros --control-socket /nowhere/ctl.sock shop:app',
      shows: '…Cannot open the control socket /nowhere/ctl.sock: …',
    },
    cure: 'Give a path that this user can write to, or `--no-control-socket` if nobody needs it.',
    test: 'examples',
  },
  MONO5402: {
    title: 'The control token cannot be used',
    level: 'error',
    line: 'The control token in … must have at least … characters of ASCII, and no spaces; …',
    cause: `The file of \`control_token_file\` cannot be read, or what is in it is too short to
      be a secret.`,
    example: {
      files: { token: 'secret\n' },
      run: 'monoceros --metrics-bind 127.0.0.1:0 --control-token-file token shop:app',
      shows: `…The control token in …token must have at least … characters of ASCII, and no
        spaces; …`,
    },
    cure: '`openssl rand -hex 32 > token; chmod 600 token`.',
    test: 'examples',
  },
  MONO5403: {
    title: 'The control socket cannot be moved',
    level: 'warning',
    line: 'Cannot move the control socket … to …',
    cause: `After an upgrade the new server takes over the path of the old one, and something
      else is there.`,
    example: {
      run: 'kill -TERM 4700   # the old server',
      shows: 'Cannot move the control socket /run/shop.ctl.2 to /run/shop.ctl',
    },
    cure: `Remove what is at that path. Until then, name the other one: \`monoceros ctl
      --control-socket\`.`,
    test: 'src/arbiter/drivers/control.test.ts',
  },
  MONO5411: {
    title: 'systemd cannot be notified',
    level: 'warning',
    line: 'Cannot notify systemd: no process reads … (NOTIFY_SOCKET)',
    cause: `The unit has \`Type=notify\`, and the socket that it names has no reader: in a
      container, for example.`,
    example: {
      run: 'NOTIFY_SOCKET=/nowhere monoceros shop:app',
      shows: 'Cannot notify systemd: no process reads /nowhere (NOTIFY_SOCKET)',
    },
    cure: 'Do not pass `NOTIFY_SOCKET` into the container, or mount the socket there.',
    test: 'src/arbiter/drivers/systemd.test.ts',
  },
  MONO5412: {
    title: 'systemd is about to end the service',
    level: 'warning',
    line: `No acceptor serves or answers. Unless that changes, systemd ends this service
      (WatchdogSec, … s)`,
    cause: `The unit has \`WatchdogSec=\`, and the server tells systemd only while it can answer
      requests.`,
    example: {
      run: 'journalctl -u shop',
      shows: `No acceptor serves or answers. Unless that changes, systemd ends this service
        (WatchdogSec, 30 s)`,
    },
    cure: 'Look at the lines before: why acceptors do not start or do not answer.',
    test: 'src/arbiter/drivers/systemd.test.ts',
  },
  MONO5501: {
    title: 'A hook raised an error',
    level: 'error',
    line: 'The hook … raised',
    cause: `A function of the config file raised an error. Hooks that run before the server
      serves end its start.`,
    example: {
      files: { 'gunicorn.conf.py': 'def on_starting(server):\n    server.nothing()\n' },
      run: 'monoceros shop:app',
      shows: '…The hook on_starting raised',
    },
    cure: `Correct the place in the traceback. [Hooks](../guides/hooks.md) says what each hook
      gets.`,
    test: 'examples',
  },
  MONO5502: {
    title: 'A hook does not return',
    level: 'warning',
    line: 'The hook … has not returned for … s',
    cause: 'A function of the config file waits or computes for long, and the server waits for it.',
    example: {
      run: 'monoceros shop:app',
      shows: 'The hook when_ready has not returned for 10 s',
    },
    cure: 'Do what takes long in a thread of the hook, or elsewhere.',
    test: 'python/tests/test_worker_hooks.py',
  },
  MONO5901: {
    title: 'A listener inside the server failed',
    level: 'error',
    line: 'A listener of … failed: …',
    cause: `This is a bug of Monoceros: something that counts or logs events raised an error.
      Requests are not concerned.`,
    example: {
      run: 'monoceros shop:app',
      shows: 'A listener of requestEnded failed: …',
    },
    cure: 'Please report it, with the stack.',
    test: 'src/arbiter/arbiter.test.ts',
  },
  MONO5902: {
    title: 'Monoceros has a bug',
    level: 'critical',
    line: 'Bug in the acceptor, please report it: …',
    cause: `A part of the server met what it should never meet. The process ends, and is
      replaced if it is an acceptor.`,
    example: {
      run: 'monoceros shop:app',
      shows: 'Bug in the acceptor, please report it: …',
    },
    cure: `Please report it, with the stack, the version (\`monoceros --version\`) and the
      settings (\`--print-config\`).`,
    test: 'src/arbiter/arbiter.test.ts',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

import type { MessageRow } from '../row.ts'

/** `MONO40xx`: requests, and what the application does with them. */
export const requestsRows = {
  MONO4001: {
    title: 'The application raised an error',
    level: 'error',
    line: 'Error handling request …',
    cause: `The application raised before its response had begun, so the client was answered 500.
      The traceback below the line has the place.`,
    example: {
      files: { 'cart.py': 'def app(environ, start_response):\n    return 1 / 0\n' },
      run: 'monoceros cart:app &\ncurl http://127.0.0.1:8000/pay',
      shows: 'Error handling request "GET /pay HTTP/1.1"',
    },
    cure: `Correct the place that the last lines of the traceback name. With \`--reload\`, the
      browser shows it too.`,
    test: 'tests/e2e/typescript-server.test.ts',
  },
  MONO4002: {
    title: 'The application failed in the middle of its response',
    level: 'error',
    line: '…: the application raised in the middle of its response',
    cause: `The status was sent already, so the client cannot get another one.
      The connection is closed, and the client sees that the response is not complete.`,
    example: {
      run: 'curl http://127.0.0.1:8000/report',
      shows: 'GET /report: the application raised in the middle of its response',
    },
    cure: `Correct the place in the traceback. What can fail is best done before the first bytes
      of the body.`,
    test: 'tests/e2e/typescript-server.test.ts',
  },
  MONO4003: {
    title: 'The application raised after its response was complete',
    level: 'error',
    line: '…: the application raised after its response was complete',
    cause: `The client has the whole response. The error is in what the application does
      afterwards.`,
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: 'GET /: the application raised after its response was complete',
    },
    cure: 'Correct the place in the traceback: the end of a generator, often.',
    test: 'python/tests/test_exchange.py',
  },
  MONO4004: {
    title: 'Content-Length is not the length of the body',
    level: 'error',
    line: `…: the application declared Content-Length: … and produced … bytes; the response is
      incomplete`,
    cause: `The application gave a length and another number of bytes. A client reads exactly as
      many as declared, so more are not sent, and fewer break the response off.`,
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: `GET /: the application declared Content-Length: 10 and produced 5 bytes; the
        response is incomplete`,
    },
    cure: `Count bytes, not characters: \`len(text.encode())\`.
      Or leave the field out: the server finds the length or sends the body in chunks.`,
    test: 'python/tests/test_exchange.py',
  },
  MONO4005: {
    title: 'The application breaks a rule of PEP 3333',
    level: 'warning',
    line: '…: …: …. This is logged only once; with --strict, it is an error',
    cause: `What the application gave is not what PEP 3333 allows, and its meaning is clear.
      The line says what was done instead. Other servers may refuse it.`,
    example: {
      files: {
        'cart.py':
          'def app(environ, start_response):\n' +
          '    start_response("200 OK", [])\n    return b"Hello"\n',
      },
      run: 'monoceros cart:app &\ncurl http://127.0.0.1:8000/',
      shows: `GET /: the application returned bytes; it must return an iterable of bytes, such
        as [b'...']: …`,
    },
    cure: `Do what the line says. The validator of wsgiref, or \`validator\` of this package,
      finds further ones.`,
    test: 'src/gateway/application-exchange.test.ts',
  },
  MONO4006: {
    title: 'close() of the application raised',
    level: 'error',
    line: "…: the application's close() raised",
    cause: 'The server calls `close()` of what the application returned, and that raised an error.',
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: "GET /: the application's close() raised",
    },
    cure: 'Correct the place in the traceback: often a session or a file that was closed already.',
    test: 'python/tests/test_exchange.py',
  },
  MONO4007: {
    title: 'The application refused a request with an error of the server',
    level: 'warning',
    line: 'Answering … to …: …',
    cause: `The application in TypeScript raised an error that stands for a status below 500: a
      body that is too large, or a client that went away, for example.`,
    example: {
      run: 'curl --data-binary @large.bin http://127.0.0.1:8000/upload',
      shows: 'Answering 413 to "POST /upload HTTP/1.1": …',
    },
    cure: 'Nothing, if the client is to blame. Otherwise raise the limit that the line names.',
    test: 'src/gateway/application-exchange.test.ts',
  },
  MONO4008: {
    title: 'The response head of the application is not valid',
    level: 'error',
    line: 'Invalid response head for …: …',
    cause: `The status or a header field has characters that HTTP does not allow, so the client
      was answered 500.`,
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: 'Invalid response head for "GET / HTTP/1.1": …',
    },
    cure: `Correct the field that the line names. Text of users belongs into a header only when
      it is encoded.`,
    test: 'src/gateway/exchange.test.ts',
  },
  MONO4009: {
    title: 'Early hints of the application are not valid',
    level: 'error',
    line: 'Dropping invalid early hints of …: …',
    cause: 'A field that the application gave to `wsgi.early_hints` is no valid header field.',
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: 'Dropping invalid early hints of "GET / HTTP/1.1": …',
    },
    cure: 'Correct the field; usually it is `Link`.',
    test: 'src/gateway/exchange.test.ts',
  },
  MONO4010: {
    title: 'A request runs for long',
    level: 'warning',
    line: '…: has run for … s (slow_request). …',
    cause: `The setting \`slow_request\` asks for the stacks of requests that take longer than that.
      The stack in the entry shows where the request was at that moment.`,
    example: {
      run: 'monoceros --slow-request 1 shop:app',
      shows: 'GET /report: has run for 1.0 s (slow_request). Stack (most recent call last):',
    },
    cure: `Look at the last lines of the stack: a query without an index, a service without a
      time limit.`,
    test: 'src/runtimes/workers/slow-requests.test.ts',
  },
  MONO4011: {
    title: 'A request ran longer than the timeout',
    level: 'error',
    line: 'Killing worker …: a request ran longer than … s (timeout)',
    cause: `The application has sent nothing for \`timeout\` seconds. The client is answered
      504. The request is interrupted where that is possible; otherwise its worker is killed when
      its other requests are done.`,
    example: {
      run: 'monoceros --timeout 5 shop:app',
      shows: 'Killing worker 4711: a request ran longer than 5 s (timeout)',
    },
    cure: `Find out where the request is: \`--slow-request 2\` logs its stack. Give calls of
      other services a time limit. Raise \`--timeout\` only if the work takes that long.`,
    test: 'src/runtimes/workers/request-timeouts.test.ts',
  },
  MONO4012: {
    title: 'The worker of a request ended',
    level: 'error',
    line: 'Answering 502 to …: …',
    cause: `The worker ended in the middle of the request: it was killed, ran out of memory, or
      crashed in compiled code. Another entry says how it ended.`,
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: 'Answering 502 to "GET / HTTP/1.1": its worker was killed by SIGKILL',
    },
    cure: `\`dmesg\` shows what the system killed for lack of memory. For a crash, set
      \`PYTHONFAULTHANDLER=1\`.`,
    test: 'tests/e2e/what-happens-when.test.ts',
  },
  MONO4013: {
    title: 'No worker had time for a request',
    level: 'error',
    line: 'Answering 503 to …: …',
    cause: 'All workers are busy, and the request has waited in vain, or the queue is full.',
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: 'Answering 503 to "GET / HTTP/1.1": no worker was free for 30 s (timeout)',
    },
    cure: `Add \`--workers\` or \`--threads\`, or find out why requests take so long:
      \`monoceros ctl requests\`.`,
    test: 'tests/e2e/what-happens-when.test.ts',
  },
  MONO4014: {
    title: 'A request got no answer in time',
    level: 'error',
    line: 'Answering 504 to …: the application sent nothing for … s (timeout)',
    cause: `The application works on the request for longer than \`timeout\`. An entry about its
      worker follows.`,
    example: {
      run: 'curl http://127.0.0.1:8000/',
      shows: 'Answering 504 to "GET / HTTP/1.1": the application sent nothing for 30 s (timeout)',
    },
    cure: `Find out where the request is: \`--slow-request 2\` logs its stack before it is given up.
      Give calls of other services a time limit, and raise \`--timeout\` only if the work takes that
      long. [MONO4011](MONO4011.md) says what happens to the worker.`,
    test: 'tests/e2e/what-happens-when.test.ts',
  },
  MONO4021: {
    title: 'A request was not valid',
    level: 'warning',
    line: 'Refused … from … with 400: …',
    cause: `The message breaks a rule of HTTP, so it cannot be known for certain what it means.
      Scanners send such messages to every server. A plain HTTP request at a port of HTTPS is
      one, too.`,
    example: {
      run: "printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nHost: b\\r\\n\\r\\n' | nc 127.0.0.1 8000",
      shows: `Refused "GET / HTTP/1.1" from 127.0.0.1 with 400: The request has more than one
        Host field`,
    },
    cure: 'Nothing, if the client is a stranger. If it is yours, correct what the line names.',
    test: 'src/logging/request-logs.test.ts',
  },
  MONO4022: {
    title: 'A request was too large',
    level: 'warning',
    line: 'Refused … from … with 413: …',
    cause: 'The request line, the fields or the body is larger than the limits in the settings.',
    example: {
      run: 'curl --data-binary @large.bin http://127.0.0.1:8000/upload',
      shows: 'Refused "POST /upload HTTP/1.1" from 127.0.0.1 with 413: …',
    },
    cure: `Raise the limit that the line names, such as \`--limit-request-body\`, if the request
      is legitimate.`,
    test: 'tests/e2e/limits.test.ts',
  },
  MONO4023: {
    title: 'A client was too slow',
    level: 'warning',
    line: 'Refused … from … with 408: …',
    cause: `The head or the body of the request did not arrive in time, or came more slowly than
      is allowed; or the client did not read its response. Clients on bad networks do that, and
      attacks that hold connections.`,
    example: {
      run: 'nc 127.0.0.1 8000',
      shows: 'Refused a request from 127.0.0.1 with 408: the request head took too long',
    },
    cure: `Nothing, if it is rare. If your own clients have slow connections, raise the setting:
      \`--header-timeout\` for heads, \`--body-timeout\`, \`--body-time-limit\` or
      \`--min-body-rate\` for bodies, \`--write-timeout\` for responses.`,
    test: 'tests/e2e/slow-clients.test.ts',
  },
  MONO4024: {
    title: 'The headers of a proxy are not valid',
    level: 'warning',
    line: `Refused … from … with 400: the headers of the proxy contradict each other about the
      scheme`,
    cause: `A proxy that is trusted has sent forwarding fields that contradict each other or are
      malformed.`,
    example: {
      run: "curl -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Ssl: off' http://127.0.0.1:8000/",
      shows: `Refused "GET / HTTP/1.1" from 127.0.0.1 with 400: the headers of the proxy
        contradict each other about the scheme`,
    },
    cure: `Let the proxy set these fields itself, and remove those of clients: [Behind a
      proxy](../guides/behind-a-proxy.md).`,
    test: 'tests/e2e/trust.test.ts',
  },
  MONO4025: {
    title: 'A request is for a host that is not served',
    level: 'warning',
    line: 'Refused … from … with 421: …',
    cause: 'The field Host is none of `allowed_hosts`.',
    example: {
      run: "curl -H 'Host: example.com' http://127.0.0.1:8000/",
      shows: 'Refused "GET / HTTP/1.1" from 127.0.0.1 with 421: …',
    },
    cure: `Add the name to \`--allowed-hosts\` if it is one of yours. Health checks often use an
      address.`,
    test: 'tests/e2e/trust.test.ts',
  },
  MONO4026: {
    title: 'A client is over the rate limit',
    level: 'warning',
    line: 'Refused … from … with 429: …',
    cause: 'The client has sent more requests than `rate_limit` allows.',
    example: {
      run: 'for i in 1 2 3; do curl http://127.0.0.1:8000/; done',
      shows: 'Refused "GET / HTTP/1.1" from 127.0.0.1 with 429: …',
    },
    cure: `If many users come from one address, it is that of your proxy: set
      \`--forwarded-allow-ips\`. Otherwise raise the rate, or exempt the address.`,
    test: 'tests/release/rate-limit.test.ts',
  },
  MONO4027: {
    title: 'There was no memory for a request',
    level: 'warning',
    line: 'Refused … from … with 503: …',
    cause: `What is held for all clients together has reached \`client_memory\` or the limit of
      the disk.`,
    example: {
      run: 'curl --data-binary @large.bin http://127.0.0.1:8000/',
      shows: `Refused "POST / HTTP/1.1" from 127.0.0.1 with 503: there is no memory for more of
        it (see client_memory)`,
    },
    cure: `Raise \`--client-memory\` if the machine has memory. Many slow clients at once may be
      an attack.`,
    test: 'src/logging/request-logs.test.ts',
  },
  MONO4028: {
    title: 'A request asks for what the server does not do',
    level: 'warning',
    line: 'Refused … from … with 505: …',
    cause: 'The version of HTTP, the method, or an expectation of the request is not supported.',
    example: {
      run: "printf 'GET / HTTP/3.0\\r\\n\\r\\n' | nc 127.0.0.1 8000",
      shows: `Refused "GET / HTTP/3.0" from 127.0.0.1 with 505: Only HTTP/1.0 and HTTP/1.1 are
        served here, …`,
    },
    cure: 'Nothing, if the client is a stranger. WebSockets and CONNECT are not served.',
    test: 'tests/e2e/limits.test.ts',
  },
  MONO4031: {
    title: 'A connection could not be accepted',
    level: 'error',
    line: 'Accepting at … failed: …',
    cause: 'The system has refused to hand over a connection, for a reason that the line names.',
    example: {
      run: 'monoceros shop:app',
      shows: 'Accepting at 127.0.0.1:8000 failed: accept ENOBUFS',
    },
    cure: `ENOBUFS and ENOMEM are a lack of memory in the kernel: look at \`free\` and at the
      limits of the container. EPERM is a firewall. Other names are in the manual, accept(2).
      The server goes on.`,
    test: 'tests/e2e/connections.test.ts',
  },
  MONO4032: {
    title: 'The memory for clients is used up',
    level: 'warning',
    line: 'client_memory is used up: … bytes are held for clients, and each acceptor may hold …. …',
    cause: 'Many clients send or receive slowly, and what is held for them has reached the limit.',
    example: {
      run: 'monoceros --client-memory 16M shop:app',
      shows: 'client_memory is used up: 16777216 bytes are held for clients, …',
    },
    cure: `Raise \`--client-memory\` if the machine has memory. Otherwise it is the protection
      that it should be.`,
    test: 'src/acceptor/client-budgets.test.ts',
  },
  MONO4033: {
    title: 'File descriptors are used up',
    level: 'error',
    line: `File descriptors are used up (limit: …): …. Raise that limit where you start the
      server …`,
    cause: 'Each connection and each file takes a descriptor, and the process may have no more.',
    example: {
      run: 'ulimit -n 100; monoceros shop:app',
      shows: 'File descriptors are used up (limit: 100): …',
    },
    cure: `\`ulimit -n 65536\`, or \`LimitNOFILE=65536\` in the unit of systemd, or \`--ulimit
      nofile=65536\` of Docker.`,
    test: 'tests/e2e/connections.test.ts',
  },
  MONO4034: {
    title: 'A response cannot be kept on the disk',
    level: 'error',
    line: 'Cannot spool the response to …: …',
    cause: `The response for a slow client goes to a file, and that cannot be written: the disk
      is full, for example.`,
    example: {
      run: 'df /tmp',
      shows: `Cannot spool the response to "GET /export HTTP/1.1": ENOSPC: no space left on
        device, write`,
    },
    cure: 'Make space in `TMPDIR`, or give another folder with `--tmp-upload-dir`.',
    test: 'src/gateway/exchange.test.ts',
  },
  MONO4035: {
    title: 'There are too many connections',
    level: 'warning',
    line: 'Connections are answered 503, because there are … (max_connections) and none is idle',
    cause: 'As many clients as `max_connections` are served at this moment.',
    example: {
      run: 'monoceros --max-connections 1000 shop:app',
      shows: `Connections are answered 503, because there are 1000 (max_connections) and none is
        idle`,
    },
    cure: 'Raise `--max-connections`, and the limit of descriptors with it.',
    test: 'tests/e2e/limits.test.ts',
  },
  MONO4036: {
    title: 'An address has too many connections',
    level: 'warning',
    line: 'Refused a connection from …: its address has … already (limit_connections_per_address)',
    cause: 'One address has opened more connections than `limit_connections_per_address` allows.',
    example: {
      run: 'monoceros --limit-connections-per-address 20 shop:app',
      shows: `Refused a connection from 192.0.2.7: its address has 20 already
        (limit_connections_per_address)`,
    },
    cure: `If it is the address of your proxy, add it to \`--forwarded-allow-ips\`, which
      exempts it.`,
    test: 'tests/e2e/fairness.test.ts',
  },
  MONO4037: {
    title: 'max_connections is lowered',
    level: 'warning',
    line: 'max_connections is lowered from … to …: an acceptor may have … files open, …',
    cause: `The limit of file descriptors does not allow as many connections as the setting asks
      for.`,
    example: {
      run: 'ulimit -n 200; monoceros --max-connections 5000 shop:app',
      shows: 'max_connections is lowered from 5000 to …: an acceptor may have 200 files open, …',
    },
    cure: 'Raise the limit: `ulimit -n`, `LimitNOFILE=` of systemd, `--ulimit nofile=` of Docker.',
    test: 'tests/e2e/connections.test.ts',
  },
  MONO4038: {
    title: 'There are too many TLS handshakes',
    level: 'warning',
    line: '… TLS handshakes are under way (max_handshakes): others wait, …',
    cause: 'Very many clients connect at once, or some begin handshakes and never finish them.',
    example: {
      run: 'monoceros --max-handshakes 100 --dev-tls shop:app',
      shows: '100 TLS handshakes are under way (max_handshakes): others wait, …',
    },
    cure: `Nothing, if it passes. Add \`--acceptors\` for more processors, or raise
      \`--max-handshakes\`.`,
    test: 'tests/release/tls-hostile.test.ts',
  },
  MONO4041: {
    title: 'A response names a file that does not exist',
    level: 'warning',
    line: 'Answering 404 for …: X-Sendfile names …, which is not a file, or may not be read',
    cause: `The application answered with \`X-Sendfile\` or \`X-Accel-Redirect\`, and there is
      no such file.`,
    example: {
      run: 'curl http://127.0.0.1:8000/report.pdf',
      shows: `Answering 404 for "GET /report.pdf HTTP/1.1": X-Sendfile names "/srv/report.pdf",
        which …`,
    },
    cure: 'Correct the path, and give the user of the server the right to read it.',
    test: 'src/edge/sendfile/sendfile.test.ts',
  },
  MONO4042: {
    title: 'A response names a file that is not released',
    level: 'error',
    line: 'X-Sendfile in the answer to …: … is not below a sendfile_root',
    cause: `Only files below \`sendfile_root\`, or paths of \`accel_redirect\`, are sent. This
      one is not.`,
    example: {
      run: 'curl http://127.0.0.1:8000/report.pdf',
      shows: `X-Sendfile in the answer to "GET /report.pdf HTTP/1.1": "/etc/passwd" is not below
        a sendfile_root`,
    },
    cure: 'Add the folder to `--sendfile-root`, if its files are for clients.',
    test: 'src/edge/sendfile/sendfile.test.ts',
  },
  MONO4043: {
    title: 'A file could not be sent',
    level: 'warning',
    line: 'Cannot send …: …',
    cause: 'The file was changed or cut off while it was sent, or reading it failed.',
    example: {
      run: 'curl http://127.0.0.1:8000/static/app.js',
      shows: 'Cannot send /srv/static/app.js: the file was shortened while it was sent',
    },
    cure: 'Replace files by renaming new ones over them, instead of writing into them.',
    test: 'src/edge/static-files/static-files.test.ts',
  },
  MONO4044: {
    title: 'A static file may not be read',
    level: 'warning',
    line: '… may not be read (EACCES); it is treated as missing',
    cause: 'The user of the server has no right to read the file or a folder above it.',
    example: {
      run: 'curl http://127.0.0.1:8000/static/app.js',
      shows: '"/srv/static/app.js" may not be read (EACCES); it is treated as missing',
    },
    cure: '`chmod o+r` the file and `chmod o+x` the folders, or change their group.',
    test: 'src/acceptor/file-handlers.test.ts',
  },
  MONO4045: {
    title: 'A response could not be compressed',
    level: 'warning',
    line: 'A response could not be compressed: …',
    cause: 'zlib has failed, for lack of memory, for example. The response was broken off.',
    example: {
      run: 'curl --compressed http://127.0.0.1:8000/',
      shows: 'A response could not be compressed: …',
    },
    cure: 'Look at the memory of the machine. If it comes again, please report it.',
    test: 'src/acceptor/request-handlers.test.ts',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

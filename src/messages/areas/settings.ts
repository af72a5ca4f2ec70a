import type { MessageRow } from '../row.ts'

/** `MONO10xx`: the command line, and values of settings. `MONO11xx`: config files. */
export const settingsRows = {
  MONO1001: {
    title: 'The command has no such option',
    level: 'error',
    line: 'Unknown option "…"',
    cause: `The command line has an option that is neither one of Monoceros nor one of Gunicorn.
      Usually it is misspelt; the line names the option that comes closest.`,
    example: {
      run: 'monoceros --wrokers 2 shop:app',
      shows: 'monoceros: Unknown option "--wrokers" (did you mean --workers?)',
    },
    cure: `Correct the option.
      \`monoceros --help\` lists all of them.
      Options of your application go into its own configuration: Monoceros passes none on.`,
    test: 'examples',
  },
  MONO1002: {
    title: 'An option needs a value',
    level: 'error',
    line: '… needs a value: … …',
    cause: `The option stands without the value that it takes.
      A text that begins with a dash counts as the next option, not as a value.`,
    example: {
      run: 'monoceros shop:app --workers',
      shows: 'monoceros: --workers needs a value: --workers …',
    },
    cure: `Write the value behind the option.
      A value that begins with a dash is joined with an equals sign: \`--proc-name=-shop\`.`,
    test: 'examples',
  },
  MONO1003: {
    title: 'An option takes no value',
    level: 'error',
    line: '… does not take a value, got "…"',
    cause: 'The option is a switch, and a value is joined to it with an equals sign.',
    example: {
      run: 'monoceros --reload=yes shop:app',
      shows: 'monoceros: --reload does not take a value, got "yes"',
    },
    cure: `Leave out the equals sign and the value. To turn off what is on by default, use the
      option that begins with \`--no-\`, if there is one.`,
    test: 'examples',
  },
  MONO1004: {
    title: 'A setting of Gunicorn or an option of Python is not supported',
    level: 'error',
    line: '… is not supported: …',
    cause: `Gunicorn or Python has this option, and Monoceros cannot do what it asks for.
      To go on without it would change what the server does, so it is an error and not a note.`,
    example: {
      run: 'monoceros --paste production.ini shop:app',
      shows: 'monoceros: …',
    },
    cure: `Remove the setting, and do what the line says instead.
      The page [From Gunicorn](../guides/from-gunicorn.md) lists all settings that differ.`,
    test: 'examples',
  },
  MONO1005: {
    title: 'Two applications are given',
    level: 'error',
    line: 'Two applications given, "…" and "…"; a command serves one. (…)',
    cause: `The command line has two words that are neither options nor values of options.
      Often the first is meant as the value of a switch, or a value has a space in it.`,
    example: {
      run: 'monoceros shop:app cart:app',
      shows: `monoceros: Two applications given, "shop:app" and "cart:app"; a command serves
        one. …`,
    },
    cure: `Remove one of them, and quote values with spaces.
      To serve several applications below different paths, mount them in one:
      [Mounting](../guides/mounting.md).`,
    test: 'examples',
  },
  MONO1006: {
    title: 'No application is given',
    level: 'error',
    line: 'No application given. Name the one to serve, such as mysite.wsgi:application',
    cause: `Neither the command line nor a config file (\`wsgi_app\`) nor a variable names the
      application that is to be served.`,
    example: {
      run: 'monoceros --workers 2',
      shows: `monoceros: No application given. Name the one to serve, such as
        mysite.wsgi:application`,
    },
    cure: `Name the module and the application in it: \`monoceros shop:app\` for the name \`app\` in
      \`shop.py\`, or \`monoceros ./shop.ts\` for TypeScript.`,
    test: 'examples',
  },
  MONO1007: {
    title: 'A variable with arguments has a quote that is not closed',
    level: 'error',
    line: '…: a quote is not closed',
    cause: `\`MONOCEROS_CMD_ARGS\` or \`GUNICORN_CMD_ARGS\` is split into words as a shell does
      it, and one of its quotes has no end.`,
    example: {
      run: 'MONOCEROS_CMD_ARGS="--proc-name \'shop" monoceros shop:app',
      shows: 'monoceros: MONOCEROS_CMD_ARGS: a quote is not closed',
    },
    cure: `Close the quote.
      An apostrophe within a value stands in double quotes: \`--proc-name "it's"\`.`,
    test: 'examples',
  },
  MONO1008: {
    title: 'The Python package has no embedded Python',
    level: 'error',
    line: '… is for the embedded Python, which is not part of this package; use …',
    cause: `\`monoceros python\` and \`monoceros install\` work on the embedded Python, which
      only the npm packages have. The package of pip runs applications on the Python that it is
      installed in.`,
    example: {
      run: 'python3 -m monoceros install flask',
      shows: `monoceros: install is for the embedded Python, which is not part of this package;
        use …`,
    },
    cure: `Use the command that the line names: that Python itself, or its pip.`,
    test: 'src/cli/command.test.ts',
  },
  MONO1009: {
    title: 'The server needs Node.js',
    level: 'error',
    line: '… needs Node.js, because its HTTP engine uses sockets in a way that … does not offer. …',
    cause: `The command was started on Bun or Deno.
      Middleware and adapters run there; the server needs what only Node.js has.`,
    example: {
      run: 'bunx --bun monoceros shop:app',
      shows: `monoceros: The command monoceros needs Node.js, because its HTTP engine uses
        sockets …`,
    },
    cure: `Install Node.js 20.19 or newer, and run the command with it: \`npx monoceros shop:app\`.
      To run WSGI applications on Bun and Deno without the server, see
      [Bun, Deno and Workers](../guides/bun-deno-workers.md).`,
    test: 'src/process/other-runtime.test.ts',
  },
  MONO1010: {
    title: 'The server does not run on Windows',
    level: 'error',
    line: '… does not run on Windows. Use the Windows Subsystem for Linux (WSL), or Docker.',
    cause: `The processes of the server talk over unix sockets and are steered by signals, which
      Windows does not have in that form.`,
    example: {
      run: 'monoceros shop:app',
      shows: `monoceros: The command monoceros does not run on Windows. Use the Windows
        Subsystem for Linux (WSL), or Docker.`,
    },
    cure: 'Run it in the Windows Subsystem for Linux, in Docker, or on Linux or macOS.',
    test: 'src/process/other-runtime.test.ts',
  },
  MONO1011: {
    title: 'The daemon could not be started',
    level: 'error',
    line: 'The daemon was killed by …',
    cause: `With \`--daemon\`, the command starts itself once more, in a session of its own.
      That process was killed before it served, or could not be started.`,
    example: {
      run: 'monoceros --daemon shop:app',
      shows: 'monoceros: The daemon was killed by SIGKILL',
    },
    cure: 'Start it without `--daemon` to see more. Its log is in `--error-logfile`.',
    test: 'src/cli/daemon.test.ts',
  },
  MONO1012: {
    title: 'There is no such code to explain',
    level: 'error',
    line: 'There is no code "…"; a code is at the end of a line, such as MONO1001',
    cause: '`monoceros explain` takes one code, and this is none that this version has.',
    example: {
      run: 'monoceros explain MONO0000',
      shows: `monoceros: There is no code "MONO0000"; a code is at the end of a line, such as
        MONO1001`,
    },
    cure: 'Copy the code from the end of the line. An older version does not know newer codes.',
    test: 'examples',
  },
  MONO1013: {
    title: 'The command failed with an error of the system',
    level: 'error',
    line: '…',
    cause: `The system refuses something that the command needs before it serves: a folder, a process or
      memory. The line is that of the system.`,
    example: {
      run: 'monoceros shop:app',
      shows: 'monoceros: spawn ENOMEM',
    },
    cure: `The name in capitals says what is missing: ENOMEM memory, ENOSPC space on the disk,
      EACCES or EPERM a right of this user, ENOENT a file or folder, EMFILE descriptors
      (\`ulimit -n\`), and EAGAIN processes (\`ulimit -u\`, or the limit of the container).`,
    test: 'src/cli/command.test.ts',
  },
  MONO1014: {
    title: 'The package of the documentation is not installed',
    level: 'error',
    line: 'learn needs the package monoceros-learn, and …: …',
    cause: `\`monoceros learn\` serves the documentation, which is a package of its own, of the same
      version. It is not installed, and must not be downloaded (\`--no-install\`), or there is no npm
      beside Node.js to do it.`,
    example: {
      run: 'monoceros learn --no-install',
      shows: `monoceros: learn needs the package monoceros-learn, and --no-install is given: npm
        install …`,
    },
    cure: 'Install the package with the command that the line ends in, or leave out the option.',
    test: 'tests/release/learn.test.ts',
  },
  MONO1015: {
    title: 'The package of the documentation could not be downloaded',
    level: 'error',
    line: `learn: … could not download monoceros-learn: …. Try again with a network, or install it:
      …`,
    cause: `\`monoceros learn\` downloads the package of the documentation once, if it is not
      installed: with npm, or with the pip of the Python that Monoceros is installed for. That has
      failed for the reason in the line: there is no network, for example, or a registry of your
      company does not have the package.`,
    example: {
      run: 'monoceros learn',
      shows: `monoceros: learn: npm could not download monoceros-learn: …. Try again with a network,
        or install it: npm install …`,
    },
    cure: `Try it again with a network. Behind a proxy or with a registry of your own, set npm or pip
      up for it: the command uses their settings. Or install the package with the command that the
      line ends in, from a file for example.`,
    test: 'tests/release/learn.test.ts',
  },
  MONO1021: {
    title: 'A value is not a number that the setting takes',
    level: 'error',
    line: '…: expected a whole number …, got "…"',
    cause: `The setting takes a number (of things, of seconds, or a share from 0 to 1), and the
      value is none, or is outside of what the line says.`,
    example: {
      run: 'monoceros --workers many shop:app',
      shows: 'monoceros: --workers: expected a whole number …, got "many"',
    },
    cure: `Give a number in the range that the line names, without a unit.
      [Settings](../reference/settings.md) has the range and the unit of each.`,
    test: 'examples',
  },
  MONO1022: {
    title: 'A value is not a size',
    level: 'error',
    line: '…: expected a size such as 65536, 64k or 1M…, got "…"',
    cause: `The setting takes a number of bytes, and the value is no such number or is outside of
      what the line says.`,
    example: {
      run: 'monoceros --limit-request-body ten shop:app',
      shows: `monoceros: --limit-request-body: expected a size such as 65536, 64k or 1M…, got
        "ten"`,
    },
    cure: `Give digits, perhaps with one of the letters \`k\`, \`M\` and \`G\`: \`10M\`.
      They stand for powers of 1024.`,
    test: 'examples',
  },
  MONO1023: {
    title: 'A value is neither true nor false',
    level: 'error',
    line: '…: expected true or false, got …',
    cause: 'The setting is a switch, and the config file has another value for it.',
    example: {
      files: { 'monoceros.config.json': '{ "reload": "yes" }\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.json: reload: expected true or false, got "yes"',
    },
    cure: 'Write `true` or `false` (in Python `True` or `False`), without quotes.',
    test: 'examples',
  },
  MONO1024: {
    title: 'A value is not one of the choices',
    level: 'error',
    line: '…: expected one of …, got "…"',
    cause: 'The setting takes one of a few words, and the value is none of them.',
    example: {
      run: 'monoceros --log-level verbose shop:app',
      shows: `monoceros: --log-level: expected one of debug, info, warning, error, critical, got
        "verbose"`,
    },
    cure: 'Use one of the words that the line lists. Upper and lower case are the same.',
    test: 'examples',
  },
  MONO1025: {
    title: 'A value is not a mode or a mask of permissions',
    level: 'error',
    line: '…: expected a mode in octal such as 660, got "…"',
    cause: `The setting takes permissions of files as octal digits, and the value is something
      else.`,
    example: {
      run: 'monoceros --umask rwx shop:app',
      shows: 'monoceros: --umask: expected a mask from 0 to 0777, such as 007, got "rwx"',
    },
    cure: `Give three octal digits, as for chmod(1). A umask names the permissions that are
      taken away.`,
    test: 'examples',
  },
  MONO1026: {
    title: 'The system has no such user or group',
    level: 'error',
    line: '…: expected a user of this system, got "…"',
    cause: `The user or group that the processes are to run as is in none of the system's lists.
      In a container it is often missing because only the host has it.`,
    example: {
      run: 'monoceros --user shopkeeper shop:app',
      shows: 'monoceros: --user: expected a user of this system, got "shopkeeper"',
    },
    cure: `Create the user (\`useradd --system shopkeeper\`), or name one that exists.
      \`getent passwd\` lists users, and \`getent group\` groups.
      A number needs no entry in the lists.`,
    test: 'examples',
  },
  MONO1027: {
    title: 'A value in a config file has the wrong type',
    level: 'error',
    line: '…: expected a string, got …',
    cause: `The setting takes a text, a list of texts, an object or a function, and the config
      file has a value of another type.`,
    example: {
      files: { 'monoceros.config.json': '{ "proc_name": ["shop"] }\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.json: proc_name: expected a string, got "shop"',
    },
    cure: 'Write the value in the type that the line names.',
    test: 'examples',
  },
  MONO1028: {
    title: 'A value is not a pair KEY=VALUE that the setting takes',
    level: 'error',
    line: '…: expected KEY=VALUE, got "…"',
    cause: `The setting takes pairs: names of variables, of header fields, of codings or paths,
      each with a value. This one has no equals sign, or its name is not allowed.`,
    example: {
      run: 'monoceros --env DEBUG shop:app',
      shows: 'monoceros: --env: expected KEY=VALUE…, got "DEBUG"',
    },
    cure: 'Write the name, an equals sign and the value. Repeat the option for several pairs.',
    test: 'examples',
  },
  MONO1029: {
    title: 'A value is not an address to listen on',
    level: 'error',
    line: `…: expected HOST:PORT, HOST, :PORT, [IPV6]:PORT, unix:PATH, unix:@NAME or
      fd://NUMBER, got "…"`,
    cause: `The text is none of the forms of an address: a scheme such as \`http://\` stands in
      front, an IPv6 address has no brackets, or the port is no number up to 65535.`,
    example: {
      run: 'monoceros --bind http://127.0.0.1:8000 shop:app',
      shows: `monoceros: --bind: write HOST:PORT without http:// in front, or tls:HOST:PORT for
        HTTPS, got "http://127.0.0.1:8000"`,
    },
    cure: `Write the address in one of the forms: \`127.0.0.1:8000\`, \`[::1]:8000\`,
      \`unix:/run/shop.sock\`.`,
    test: 'examples',
  },
  MONO1030: {
    title: 'A folder or a path in the settings does not exist',
    level: 'error',
    line: '…: expected an existing folder, got "…"',
    cause: `The setting names a folder that does not exist, is a file, or cannot be reached by
      this user. Relative paths start in the folder of \`--chdir\`, which is the current one by
      default.`,
    example: {
      run: 'monoceros --chdir /srv/shopp shop:app',
      shows: 'monoceros: --chdir: expected an existing folder, got "/srv/shopp"',
    },
    cure: 'Create the folder, or correct the path. `ls -ld` shows whether it is a folder.',
    test: 'examples',
  },
  MONO1031: {
    title: 'A value is not a path of URLs',
    level: 'error',
    line: '…: expected a path that begins with a slash, such as …, got "…"',
    cause: `The setting takes a path as it stands in a URL, and the value does not begin with a
      slash or has characters that would mean something else there.`,
    example: {
      run: 'monoceros --root-path shop shop:app',
      shows: `monoceros: --root-path: expected a path that begins with a slash, such as /shop,
        without "//", "?" or "#", got "shop"`,
    },
    cure: 'Begin the path with a slash, and leave out `?`, `#` and doubled slashes.',
    test: 'examples',
  },
  MONO1032: {
    title: 'A value is not a list of addresses, networks or hosts',
    level: 'error',
    line: `…: expected addresses such as 10.0.0.1 or ::1, networks such as 10.0.0.0/8, or * …,
      got "…"`,
    cause: `The setting says who is trusted or which hosts are served, and one item is no
      address, network or host name of the form that the line describes. Names of proxies are not
      looked up, because a wrong answer would decide who is trusted.`,
    example: {
      run: 'monoceros --forwarded-allow-ips nginx shop:app',
      shows: `monoceros: --forwarded-allow-ips: expected addresses such as 10.0.0.1 or ::1,
        networks such as 10.0.0.0/8, or * (names are not looked up), got "nginx"`,
    },
    cure: `Give addresses or networks, separated by commas.
      In Docker, use the network of the proxy, such as \`172.16.0.0/12\`.`,
    test: 'examples',
  },
  MONO1033: {
    title: 'The format of the access log has a mistake',
    level: 'error',
    line: '…: expected an access log format: …, got "…"',
    cause: `An atom of the format is incomplete: \`%(h)s\` has a name in parentheses and a
      letter behind.`,
    example: {
      run: "monoceros --access-logformat '%(h) %(r)s' shop:app",
      shows: 'monoceros: --access-logformat: expected an access log format: …, got "%(h) %(r)s"',
    },
    cure: `Complete the atom, or write \`%%\` for a percent sign.
      [Logging](../guides/logging.md) lists the atoms.`,
    test: 'examples',
  },
  MONO1034: {
    title: 'A value is not the address of another service',
    level: 'error',
    line: '…: expected …, got "…"',
    cause: `The setting names another service (syslog, StatsD, Redis, a collector of traces, other
      dashboards), and the value does not have the form of its address.`,
    example: {
      run: 'monoceros --statsd-host http://statsd shop:app',
      shows: 'monoceros: --statsd-host: expected HOST:PORT or unix://PATH, got "http://statsd"',
    },
    cure: 'Write the address in the form that the line shows.',
    test: 'examples',
  },
  MONO1035: {
    title: 'A value is not a rate of requests',
    level: 'error',
    line: '…: expected rates such as 20/s, 100/m or 20/s:burst=40 (units: s, m, h, d), got "…"',
    cause: 'A rate is a number of requests, a slash and a unit of time; this one is not.',
    example: {
      run: 'monoceros --rate-limit 20 shop:app',
      shows: `monoceros: --rate-limit: expected rates such as 20/s, 100/m or 20/s:burst=40
        (units: s, m, h, d), got "20"`,
    },
    cure: 'Add the unit: `20/s` is twenty requests a second from each address.',
    test: 'examples',
  },
  MONO1036: {
    title: 'A value cannot be part of a header',
    level: 'error',
    line: '…: expected …, got "…"',
    cause: `The value becomes a part of a header field or of a line of a protocol, and has
      characters that are not allowed there, or is not of the form that the field has.`,
    example: {
      run: 'monoceros --hsts forever shop:app',
      shows: `monoceros: --hsts: expected a number of seconds such as 31536000, then perhaps ;
        includeSubDomains, got "forever"`,
    },
    cure: 'Give the value in the form that the line shows.',
    test: 'examples',
  },
  MONO1037: {
    title: 'A value is not a regular expression',
    level: 'error',
    line: '…: expected auto, or a regular expression such as ^/assets/, got "…"',
    cause: 'The pattern of names that never change is no valid regular expression of JavaScript.',
    example: {
      run: "monoceros --static-immutable '^/assets/(' shop:app",
      shows: `monoceros: --static-immutable: expected auto, or a regular expression such as
        ^/assets/, got "^/assets/("`,
    },
    cure: 'Correct the expression: each opening parenthesis and bracket needs its end.',
    test: 'examples',
  },
  MONO1038: {
    title: 'There is no such class of workers',
    level: 'error',
    line: '…: "…" is not a class that Monoceros has. Use sync, gthread or gevent',
    cause: `The class is one of Gunicorn or of another package that Monoceros does not have.
      ASGI applications need an ASGI server: Monoceros serves WSGI.`,
    example: {
      run: 'monoceros --worker-class uvicorn.workers.UvicornWorker shop:app',
      shows: `monoceros: --worker-class: "uvicorn.workers.UvicornWorker" is for ASGI
        applications; Monoceros serves WSGI. Use an ASGI server`,
    },
    cure: `Use \`gthread\` with \`--threads\` for most applications, and \`gevent\` for very many
      requests that wait.`,
    test: 'examples',
  },
  MONO1041: {
    title: 'Two sources of a certificate are given',
    level: 'error',
    line: 'dev_tls makes a certificate, and certfile has one; remove one of them',
    cause: '`--dev-tls` makes a certificate for development, and `--certfile` names another one.',
    example: {
      run: 'monoceros --dev-tls --certfile shop.pem shop:app',
      shows: 'monoceros: dev_tls makes a certificate, and certfile has one; remove one of them',
    },
    cure: 'Remove `--dev-tls` in production, and `--certfile` for development.',
    test: 'examples',
  },
  MONO1042: {
    title: 'HTTPS is asked for, and there is no certificate',
    level: 'error',
    line: 'bind … needs a certificate: give it with --certfile',
    cause: `An address begins with \`tls:\`, a key is named, or requests are to be redirected to
      HTTPS, and no setting names a certificate. Without this error, the server would speak plain
      HTTP where HTTPS is expected.`,
    example: {
      run: 'monoceros --bind tls:127.0.0.1:8443 shop:app',
      shows: 'monoceros: bind tls:127.0.0.1:8443 needs a certificate: give it with --certfile',
    },
    cure: `Give the certificate and its key with \`--certfile\` and \`--keyfile\`, or
      \`--dev-tls\` for development. [HTTPS](../guides/tls.md) says where certificates come from.`,
    test: 'examples',
  },
  MONO1043: {
    title: 'The same address is given twice',
    level: 'error',
    line: 'bind has … both with tls: and without; remove one of them',
    cause: `One socket cannot speak HTTP and HTTPS, so an address stands either with \`tls:\` or
      without, and the address of \`http_redirect\` is another one than those of \`bind\`.`,
    example: {
      run: 'monoceros --dev-tls -b tls:127.0.0.1:8443 -b 127.0.0.1:8443 shop:app',
      shows: 'monoceros: bind has 127.0.0.1:8443 both with tls: and without; remove one of them',
    },
    cure: 'Remove one of them, or give one another port.',
    test: 'examples',
  },
  MONO1044: {
    title: 'A single-page application has no folder',
    level: 'error',
    line: 'spa needs the folder that has the index.html: give it with --static /=./dist',
    cause: '`--spa` answers pages with an index.html, and no folder of static files is at `/`.',
    example: {
      run: 'monoceros --spa shop:app',
      shows: `monoceros: spa needs the folder that has the index.html: give it with --static
        /=./dist`,
    },
    cure: 'Give the folder of the build: `--spa --static /=./dist`.',
    test: 'examples',
  },
  MONO1045: {
    title: 'The Python package cannot run the embedded Python',
    level: 'error',
    line: '…: the embedded Python is not part of this package, which runs applications on …',
    cause: `The command of the package of pip was asked for \`runtime = "pyodide"\`, which only
      the npm packages have.`,
    example: {
      run: 'python3 -m monoceros --runtime pyodide shop:app',
      shows: 'monoceros: --runtime: the embedded Python is not part of this package, which runs …',
    },
    cure: `Leave the setting out, or use the npm packages: \`npm install monoceros
      monoceros-pyodide\`.`,
    test: 'src/cli/command.test.ts',
  },
  MONO1046: {
    title: 'The embedded Python has no gevent',
    level: 'error',
    line: 'worker_class gevent is not supported by the embedded Python, which has no sockets …',
    cause: 'gevent waits for sockets of the system, and the embedded Python has none.',
    example: {
      run: 'monoceros --runtime pyodide --worker-class gevent shop:app',
      shows: `monoceros: worker_class gevent is not supported by the embedded Python, which has
        no sockets to wait for. Use the system's Python, or more --workers`,
    },
    cure: "Use the system's Python (`--runtime cpython`), or leave the class out and add workers.",
    test: 'examples',
  },
  MONO1047: {
    title: 'The runtime does not fit the application',
    level: 'error',
    line: `runtime … runs Python modules, but … is a file for the runtime node. Leave the
      runtime out`,
    cause: 'The application is a TypeScript or JavaScript file, and the setting asks for a Python.',
    example: {
      run: 'monoceros --runtime cpython ./shop.ts',
      shows: `monoceros: runtime cpython runs Python modules, but ./shop.ts is a file for the
        runtime node. Leave the runtime out`,
    },
    cure: 'Leave the runtime out: the name of the application says what it is.',
    test: 'examples',
  },
  MONO1048: {
    title: 'A hook in TypeScript is for the workers of a Python application',
    level: 'error',
    line: `…: this hook runs in the workers, and those of a Python application cannot run a
      function …`,
    cause: `The config file is TypeScript or JavaScript and has a hook that runs in each worker.
      Workers of a Python application run Python only.`,
    example: {
      files: { 'monoceros.config.mjs': 'export default { post_fork() {} }\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.mjs: post_fork: this hook runs in the workers, …',
    },
    cure: `Write the hooks of workers in a \`gunicorn.conf.py\`.
      [Hooks](../guides/hooks.md) says which run where.`,
    test: 'examples',
  },
  MONO1101: {
    title: 'A config file has a setting that does not exist',
    level: 'error',
    line: '…: unknown setting "…"',
    cause: 'The key is no setting of Monoceros or Gunicorn. Usually it is misspelt.',
    example: {
      files: { 'monoceros.config.json': '{ "wrokers": 2 }\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.json: unknown setting "wrokers" (did you mean workers?)',
    },
    cure: 'Correct the key. [Settings](../reference/settings.md) has all of them.',
    test: 'examples',
  },
  MONO1102: {
    title: 'A config file has the same setting twice',
    level: 'error',
    line: '… is the same setting as …; remove one of them',
    cause: `A setting may be written in snake_case, in camelCase and by Gunicorn's name.
      Here it stands under two of these names.`,
    example: {
      files: {
        'monoceros.config.json': '{ "graceful_timeout": 5, "gracefulTimeout": 10 }\n',
      },
      run: 'monoceros shop:app',
      shows: `monoceros: monoceros.config.json: gracefulTimeout is the same setting as
        monoceros.config.json: graceful_timeout; remove one of them`,
    },
    cure: 'Keep one of the two.',
    test: 'examples',
  },
  MONO1103: {
    title: 'A setting is for the command line only',
    level: 'error',
    line: '…: … is for the command line only: …',
    cause: `The setting decides which config file is read or what the command does, so no file
      has it.`,
    example: {
      files: { 'monoceros.config.json': '{ "config": "other.json" }\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.json: config is for the command line only: --config',
    },
    cure: 'Remove the key, and give the option that the line names.',
    test: 'examples',
  },
  MONO1104: {
    title: 'The config file cannot be read',
    level: 'error',
    line: 'Cannot read config file "…": …',
    cause: 'The file that `--config` names does not exist, is a folder, or may not be read.',
    example: {
      run: 'monoceros --config shop.json shop:app',
      shows: 'monoceros: Cannot read config file "shop.json": no such file',
    },
    cure: `Correct the path, which starts in the current folder.
      Without \`--config\`, the command looks for a file by its usual names.`,
    test: 'examples',
  },
  MONO1105: {
    title: 'The config file is not valid JSON',
    level: 'error',
    line: '…: not valid JSON: …',
    cause: `The file ends in \`.json\`, and JSON has no comments, no trailing commas and no
      single quotes.`,
    example: {
      files: { 'monoceros.config.json': '{ "workers": 2, }\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.json: not valid JSON: …',
    },
    cure: `Correct the place that the line names.
      For comments, use a \`monoceros.config.mjs\` with a default export instead.`,
    test: 'examples',
  },
  MONO1106: {
    title: 'The config file raised an error',
    level: 'error',
    line: '… could not be read',
    cause: `The file is a program, in Python, JavaScript or TypeScript, and it raised an error
      or ended when it ran. The traceback below the line has the place.`,
    example: {
      files: { 'gunicorn.conf.py': 'import multiprocesing\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: …gunicorn.conf.py could not be read',
    },
    cure: `Correct the line that the traceback names.
      \`monoceros --check-config\` runs the file and ends.`,
    test: 'examples',
  },
  MONO1107: {
    title: 'The config file has no object of settings',
    level: 'error',
    line: '…: expected an object of settings, got …',
    cause: `A JSON file is no object, a module has no default export that is one, or
      \`monoceros\` in a Python file is no dictionary.`,
    example: {
      files: { 'monoceros.config.json': '["workers", 2]\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: monoceros.config.json: expected an object of settings, got ["workers",2]',
    },
    cure: 'Write an object: `{ "workers": 2 }`, or `export default { workers: 2 }` in a module.',
    test: 'examples',
  },
  MONO1108: {
    title: 'The config file is of an unknown kind',
    level: 'error',
    line: `…: a config file is a Python file of Gunicorn, or its name ends in .json, .js, .mjs,
      .ts or .mts`,
    cause: 'The name of the file ends as TOML, YAML or INI do, which the command does not read.',
    example: {
      files: { 'shop.toml': 'workers = 2\n' },
      run: 'monoceros --config shop.toml shop:app',
      shows: `monoceros: shop.toml: a config file is a Python file of Gunicorn, or its name ends
        in .json, .js, .mjs, .ts or .mts`,
    },
    cure: 'Write the settings in one of these forms. `--print-config` prints them as JSON.',
    test: 'examples',
  },
  MONO1109: {
    title: 'A hook in the config file cannot be called',
    level: 'error',
    line: '…: … must accept … arguments',
    cause: `A hook of the Python file is no function, takes another number of arguments than the
      server gives, or names a function that cannot be imported.`,
    example: {
      files: { 'gunicorn.conf.py': 'def when_ready():\n    print("ready")\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: …gunicorn.conf.py: when_ready must accept 1 argument',
    },
    cure: 'Give the function the arguments that [Hooks](../guides/hooks.md) lists.',
    test: 'examples',
  },
  MONO1110: {
    title: 'The hook ssl_context asks for what is not supported',
    level: 'error',
    line: '…: ssl_context is not supported: …. Use the settings of TLS instead',
    cause: `The hook makes an SSL context of Python. Monoceros takes over what it sets, and this
      one sets something that has no setting here, or raised an error.`,
    example: {
      files: {
        'gunicorn.conf.py': 'def ssl_context(config, default):\n    return None\n',
      },
      run: 'monoceros shop:app',
      shows: 'monoceros: …gunicorn.conf.py: ssl_context …',
    },
    cure: 'Remove the hook, and use the settings of [TLS](../reference/settings.md#tls).',
    test: 'examples',
  },
  MONO1111: {
    title: 'The process that runs the config file has ended',
    level: 'error',
    line: `The process that runs "…" …; no hook of the server is called any more until it is
      reloaded`,
    cause: `A process beside the server runs a \`gunicorn.conf.py\` and keeps its hooks. It was
      killed, ended itself, or something wrote to the descriptor that it answers on.`,
    example: {
      files: { 'gunicorn.conf.py': 'import os\nos.kill(os.getpid(), 9)\n' },
      run: 'monoceros shop:app',
      shows: 'monoceros: The process that runs …gunicorn.conf.py… was killed by SIGKILL',
    },
    cure: `Look for what ends it: \`os._exit\`, a lack of memory, or code that closes or writes to
      descriptors that it has not opened. A reload starts it again.`,
    test: 'examples',
  },
  MONO1112: {
    title: "A configuration of Python's logging cannot be used",
    level: 'error',
    line: 'logconfig: … is not valid: …',
    cause: `The file or dictionary of \`logconfig\`, \`logconfig_json\` or \`logconfig_dict\`
      does not exist, or \`logging.config\` of Python refuses it.`,
    example: {
      files: { 'log.json': '["root"]\n' },
      run: 'monoceros --log-config-json log.json shop:app',
      shows: '…log.json…',
    },
    cure: `Correct what the line names. Its form is that of \`logging.config\` in the manual of
      Python.`,
    test: 'examples',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

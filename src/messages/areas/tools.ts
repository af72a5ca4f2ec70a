import type { MessageRow } from '../row.ts'

/** `MONO60xx`: `ctl`, `top` and `profile`. `MONO70xx`: `python`. `MONO71xx`: `install`. */
export const toolsRows = {
  MONO6001: {
    title: 'The command line of ctl, top or profile has a mistake',
    level: 'error',
    line: 'there is no command "…"; there are …',
    cause: `The command, an option or a value is unknown, missing or one too many; the line says
      which.`,
    example: {
      run: 'monoceros ctl statsu',
      shows: 'monoceros ctl: there is no command "statsu"; there are …',
    },
    cure: '`monoceros ctl --help` lists commands and options.',
    test: 'examples',
  },
  MONO6002: {
    title: 'There is no control socket of that server',
    level: 'error',
    line: 'There is no control socket …',
    cause: `The socket does not exist, is not one of Monoceros, or was left behind by a server
      that was killed.`,
    example: {
      run: 'monoceros ctl --control-socket ./shop.ctl status',
      shows: 'monoceros ctl: There is no control socket …shop.ctl',
    },
    cure: 'Start the server, or name its socket: its log has the path.',
    test: 'examples',
  },
  MONO6003: {
    title: 'The server is of another version',
    level: 'error',
    line: `… is Monoceros …, with version … of the control protocol. …; use the command of the
      server`,
    cause: `The command was updated, and the server that runs is still the old one, or the other
      way round.`,
    example: {
      run: 'monoceros ctl status',
      shows: `monoceros ctl: Server 4700 is Monoceros 0.1.0, with version 1 of the control
        protocol. …`,
    },
    cure: 'Restart or upgrade the server, or use the command of its version.',
    test: 'tests/e2e/control.test.ts',
  },
  MONO6004: {
    title: 'Only the user of the server may control it',
    level: 'error',
    line: 'Permission denied: …. Only the user of the server may control it',
    cause: 'The socket belongs to another user, and its mode lets nobody else use it.',
    example: {
      run: 'monoceros ctl --control-socket /run/shop.ctl status',
      shows: `monoceros ctl: Permission denied: /run/shop.ctl. Only the user of the server may
        control it`,
    },
    cure: '`sudo -u USER monoceros ctl …`, or give a group the right with `--control-socket-mode`.',
    test: 'src/control/control-client.test.ts',
  },
  MONO6005: {
    title: 'The server does not answer',
    level: 'error',
    line: '… does not answer within … s: …',
    cause: 'The server hangs, is stopped (SIGSTOP), or ended while it was asked.',
    example: {
      run: 'monoceros ctl status',
      shows: 'monoceros ctl: Server 4700 does not answer within 5 s: …',
    },
    cure: 'Look at its log, and at its processes with `ps`. `--timeout` waits longer.',
    test: 'tests/e2e/control.test.ts',
  },
  MONO6006: {
    title: 'No server runs',
    level: 'error',
    line: `No server of this user was found. Name it with --pid-file, --control-socket or --pid,
      if it runs`,
    cause: 'No server of this user has a control socket in the usual folder.',
    example: {
      run: 'MONOCEROS_RUNTIME_DIR=$PWD/none monoceros ctl status',
      shows: `monoceros ctl: No server of this user was found. Name it with --pid-file,
        --control-socket or --pid, if it runs`,
    },
    cure: 'Use the user that started it, or name its socket with `--control-socket`.',
    test: 'examples',
  },
  MONO6007: {
    title: 'Several servers run',
    level: 'error',
    line: '… servers run. Name one with --pid, --pid-file or --control-socket:',
    cause: `Several servers of this user run, and the command must not guess. They are listed
      below the line.`,
    example: {
      run: 'monoceros ctl status',
      shows: 'monoceros ctl: 2 servers run. Name one with --pid, --pid-file or --control-socket:',
    },
    cure: 'Give `--pid` with one of the numbers in the list.',
    test: 'tests/e2e/control.test.ts',
  },
  MONO6008: {
    title: 'The pid file or the process is of no use',
    level: 'error',
    line: 'There is no pid file …: the server does not run, or has another one (--pid)',
    cause: `The pid file does not exist, has no number in it, or the process that it names does
      not run.`,
    example: {
      run: 'monoceros ctl --pid-file shop.pid status',
      shows: `monoceros ctl: There is no pid file …shop.pid: the server does not run, or has
        another one (--pid)`,
    },
    cure: 'Give the path that the server got with `--pid`.',
    test: 'examples',
  },
  MONO6009: {
    title: 'The file of a profile cannot be written',
    level: 'error',
    line: 'Cannot write …: …',
    cause: 'The folder of `--output` does not exist, or this user may not write there.',
    example: {
      run: 'monoceros ctl profile --output /nowhere/profile.svg',
      shows: 'monoceros ctl: Cannot write /nowhere/profile.svg: ENOENT: …',
    },
    cure: 'Give a path in a folder that you can write to.',
    test: 'src/control/profile-command.test.ts',
  },
  MONO6010: {
    title: 'The server refused a command',
    level: 'error',
    line: 'No worker or acceptor that serves is process …',
    cause: `The server cannot do that now, has no such process, or tried and failed. The line
      has its reason.`,
    example: {
      run: 'monoceros ctl kill 1',
      shows: 'monoceros ctl: No worker or acceptor that serves is process 1',
    },
    cure: '`monoceros ctl status` shows what there is.',
    test: 'tests/e2e/control.test.ts',
  },
  MONO7001: {
    title: 'The script cannot be opened',
    level: 'error',
    line: 'python: cannot open …: …',
    cause: '`monoceros python FILE` finds no such file, or may not read it.',
    example: {
      run: 'monoceros python cart.py',
      shows: 'monoceros: python: cannot open …cart.py: no such file',
    },
    cure: 'Correct the path.',
    test: 'examples',
  },
  MONO7002: {
    title: 'The embedded interpreter broke down in a program',
    level: 'error',
    line: 'the embedded Python broke down: …',
    cause: '`monoceros python` met an error that the interpreter cannot go on from.',
    example: {
      run: 'monoceros python cart.py',
      shows: 'monoceros: the embedded Python broke down: …',
    },
    cure: 'Recursion without an end is a usual reason. Otherwise, please report it.',
    test: 'tests/embedded/python-command.test.ts',
  },
  MONO7101: {
    title: 'The command line of install has a mistake',
    level: 'error',
    line: 'Unknown option "…"; see monoceros install --help',
    cause: 'An option is unknown, has no value or a wrong one, or nothing says what to install.',
    example: {
      run: 'monoceros install --pre-release flask',
      shows: 'monoceros install: Unknown option "--pre-release"…',
    },
    cure: `\`monoceros install --help\` lists the options. Without packages, a lock file or \`-r
      FILE\` is needed.`,
    test: 'examples',
  },
  MONO7102: {
    title: 'An option of pip is not supported',
    level: 'error',
    line: '… is not supported: …',
    cause: 'pip has this option, and it makes no sense for packages of the embedded Python.',
    example: {
      run: 'monoceros install --user flask',
      shows: 'monoceros install: --user is not supported: …',
    },
    cure: 'Leave it out, and do what the line says.',
    test: 'examples',
  },
  MONO7103: {
    title: 'Packages could not be installed',
    level: 'error',
    line: '…: there is no package of that name in …',
    cause: `The line says which of these it is: there is no package of that name, no such version,
      none that the embedded Python can run (it has compiled parts, or needs another Python), the
      requirements conflict with each other, the index cannot be reached, or pip refused something.`,
    example: {
      run: 'monoceros install no-such-package-anywhere',
      shows: 'monoceros install: no-such-package-anywhere: there is no package of that name in …',
    },
    cure: `Correct the name or the version. For an index that cannot be reached, set up pip's index
      or your proxy. A package with compiled parts must have a wheel for Pyodide: the line names it
      if there is one. [With no Python installed](../guides/no-python.md) says more.`,
    test: 'tests/release/install.test.ts',
  },
  MONO7104: {
    title: 'The folder of the packages cannot be used',
    level: 'error',
    line: 'cannot install into …: …',
    cause: 'The folder cannot be made or replaced, is a file, or the lock file cannot be read.',
    example: {
      run: 'monoceros install --target shop.py flask',
      shows: 'monoceros install: cannot install into …shop.py: …',
    },
    cure: 'Name another folder with `--target`, or correct the permissions.',
    test: 'examples',
  },
  MONO7105: {
    title: 'The folder has files of somebody else',
    level: 'error',
    line: '… contains files that do not belong to a package (…). …',
    cause: `Installing from a lock file makes the folder anew, and would remove files that no
      package has brought.`,
    example: {
      run: 'monoceros install',
      shows: 'monoceros install: … contains files that do not belong to a package (notes.txt). …',
    },
    cure: 'Move them elsewhere, or name another folder with `--target`.',
    test: 'src/packages/install-folder.test.ts',
  },
  MONO7106: {
    title: 'Another installation is in progress',
    level: 'error',
    line: 'another installation is in progress in … (process …). If it is not, remove …',
    cause: `A second \`monoceros install\` works on the same folder, or one was killed and has
      left its mark.`,
    example: {
      run: 'monoceros install flask & monoceros install django',
      shows: 'monoceros install: another installation is in progress in … (process 4711). …',
    },
    cure: 'Wait for it. If no such process runs, remove the folder that the line names.',
    test: 'src/packages/install-folder.test.ts',
  },
  MONO7107: {
    title: 'The embedded Python failed during an installation',
    level: 'error',
    line: 'the embedded Python failed: …',
    cause: `The interpreter that runs pip ended with an error of its own, for lack of memory,
      for example.`,
    example: {
      run: 'monoceros install flask',
      shows: 'monoceros install: the embedded Python failed: …',
    },
    cure: 'Try again with more memory. If it comes again, please report it.',
    test: 'src/packages/install-thread.test.ts',
  },
  MONO7108: {
    title: 'The installation was interrupted',
    level: 'error',
    line: 'interrupted; … is unchanged',
    cause: 'A signal ended the installation: Ctrl-C, for example. Nothing was changed.',
    example: {
      run: 'monoceros install flask   # then Ctrl-C',
      shows: 'monoceros install: interrupted; python_modules is unchanged',
    },
    cure: 'Start it again.',
    test: 'tests/release/install.test.ts',
  },
  MONO7109: {
    title: 'The installation has a warning',
    level: 'warning',
    line: 'monoceros: warning: …',
    cause:
      'pip has warned of something, or the folder has packages that the lock file does not know.',
    example: {
      run: 'monoceros install flask',
      shows: 'monoceros: warning: not in pylock.monoceros.toml, because something else has …: six',
    },
    cure: 'Do what the line says. The next one removes packages that the lock file does not know.',
    test: 'src/packages/install-progress.test.ts',
  },
  MONO7201: {
    title: 'The command learn does not know an argument',
    level: 'error',
    line: 'learn: …; see monoceros learn --help',
    cause: 'It is misspelled, has no or a wrong value, or excludes another one.',
    example: {
      run: 'monoceros learn --bind unix:/run/learn.sock',
      shows: `monoceros: learn: --bind: expected HOST:PORT, such as 127.0.0.1:8642, got "…"; see
        monoceros learn --help`,
    },
    cure: 'Correct it. `monoceros learn --help` shows all options.',
    test: 'src/cli/learn-arguments.test.ts',
  },
  MONO7202: {
    title: 'There is no folder to save to',
    level: 'error',
    line: '--save-to: expected a folder, or a new one in a folder, got …',
    cause: 'The path is a file, or the folder above it does not exist.',
    example: {
      run: 'monoceros learn --save-to nowhere/at/all',
      shows: 'monoceros learn: --save-to: expected a folder, or a new one in a folder, got …',
    },
    cure: 'Make the folder above it, or name another path.',
    test: 'packages/learn/learn.test.ts',
  },
  MONO7203: {
    title: 'The command learn finds no address to listen on',
    level: 'error',
    line: 'the ports … to … are taken; name another: --bind',
    cause: `Other programs listen on all the ports that the command tries, or the host of
      \`--bind\` is not one of this machine.`,
    example: {
      run: 'monoceros learn --bind 192.0.2.1:0',
      shows: 'monoceros learn: --bind: listen EADDRNOTAVAIL: address not available 192.0.2.1',
    },
    cure: `Name a free port: \`--bind 127.0.0.1:9000\`. With port 0, the system chooses one.
      Many ports in use may mean that earlier runs of the command are still there.`,
    test: 'packages/learn/learn.test.ts',
  },
  MONO7204: {
    title: 'The pages of the command learn are missing',
    level: 'error',
    line: 'there is no site; build it: npm run site -- --build',
    cause: `In a clone of the repository, the site has not been built. In a package, it means that
      the installation is not complete.`,
    example: {
      run: 'npx monoceros learn   # in a clone',
      shows: 'monoceros learn: there is no site; build it: npm run site -- --build',
    },
    cure: 'Build it in a clone. Otherwise, install `monoceros-learn` again.',
    test: 'packages/learn/learn.test.ts',
  },
  MONO7205: {
    title: 'The address that the command learn opened was used twice',
    level: 'warning',
    line: `The address that the command opened was used twice, so nothing is saved any more.
      Start the command again.`,
    cause: `The command opens the browser with an address that gives the right to save, once.
      A second program has used that address: another user of the machine, who can see it in the
      list of processes, or a browser that has loaded it a second time.`,
    example: {
      run: 'monoceros learn',
      shows: `monoceros learn: The address that the command opened was used twice, so nothing is
        saved any more. Start the command again.`,
    },
    cure: `Start the command again. On a machine with other users, start it with
      \`--no-browser\` and open the address that the terminal shows.`,
    test: 'packages/learn/application.test.ts',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

import type { MessageRow } from '../row.ts'

/** `MONO30xx`: addresses. `MONO31xx`: users and files. `MONO32xx`: certificates. */
export const startRows = {
  MONO3001: {
    title: 'The address is in use',
    level: 'error',
    line: `Address already in use: …. Stop the process that listens there or choose another
      address …`,
    cause: 'Another process listens at that address: often an earlier server that still runs.',
    example: {
      run: 'monoceros --bind 127.0.0.1:8000 shop:app',
      shows: `Address already in use: 127.0.0.1:8000. Stop the process that listens there or
        choose another address with --bind.`,
    },
    cure: `\`ss -ltnp\` shows who has the port. Stop that process, or give another port with
      \`--bind\`.`,
    test: 'src/arbiter/listeners.test.ts',
  },
  MONO3002: {
    title: 'The name of an address cannot be resolved',
    level: 'error',
    line: 'Cannot listen at …: the name … cannot be resolved. …',
    cause: '`--bind` has a name that neither `/etc/hosts` nor the name servers know.',
    example: {
      run: 'monoceros --bind shop.invalid:8000 shop:app',
      shows: '…Cannot listen at shop.invalid:8000: the name shop.invalid cannot be resolved. …',
    },
    cure: 'Use an address: `127.0.0.1` for this machine only, `0.0.0.0` for all networks.',
    test: 'examples',
  },
  MONO3003: {
    title: 'A descriptor is not a listening socket',
    level: 'error',
    line: 'Cannot listen at fd://…: descriptor … is not a socket that listens, …',
    cause: `\`--bind fd://N\` takes a socket that the program above has opened.
      The descriptor is not open, or is something else.`,
    example: {
      run: 'monoceros --bind fd://33 shop:app',
      shows: '…Cannot listen at fd://33: descriptor 33 is not a socket that listens, …',
    },
    cure: 'Let the program that starts the server open the socket and pass it on, as systemd does.',
    test: 'examples',
  },
  MONO3004: {
    title: 'The path of a unix socket cannot be used on this system',
    level: 'error',
    line: 'Cannot listen at …: the path of a unix socket has at most … bytes, …',
    cause: `The system bounds the length of such paths at about a hundred bytes, and only Linux has
      abstract names (\`unix:@NAME\`).`,
    example: {
      run:
        'monoceros --bind unix:/tmp/' +
        'a-very-long-name-that-goes-on-and-on-and-on-and-on-and-on-and-on-and-on-' +
        'for-more-than-a-hundred-bytes-which-no-system-takes.sock shop:app',
      shows: '…Cannot listen at unix:/tmp/…: the path of a unix socket has at most … bytes, …',
    },
    cure: 'Choose a shorter path, such as `unix:/run/shop.sock`.',
    test: 'examples',
  },
  MONO3005: {
    title: 'The unix socket cannot be given to the user of the workers',
    level: 'error',
    line: 'Cannot listen at …: the socket cannot be given to user …, group … (…). …',
    cause: `With \`--user\` or \`--group\` the socket file belongs to them, and only root may
      give files away.`,
    example: {
      run: 'monoceros --bind unix:/run/shop.sock --group adm shop:app',
      shows: `Cannot listen at unix:/run/shop.sock: the socket cannot be given to user 1000,
        group 4 …`,
    },
    cure: 'Start the server as root, or choose a group that your user is a member of.',
    test: 'src/arbiter/listeners.test.ts',
  },
  MONO3006: {
    title: 'The path of a unix socket is taken',
    level: 'error',
    line: 'Cannot listen at …: the path is a file, not a socket. Remove it or choose another path.',
    cause: `At the path is a file, a folder, or the socket of another user, which the server
      does not remove.`,
    example: {
      run: 'monoceros --bind unix:shop.py shop:app',
      shows: `…Cannot listen at unix:…shop.py: the path is a file, not a socket. Remove it or
        choose another path.`,
    },
    cure: 'Remove what is there if nobody needs it, or choose another path.',
    test: 'examples',
  },
  MONO3007: {
    title: 'A socket needs help that this machine does not have',
    level: 'error',
    line: 'Cannot listen at …: …, or a Python 3 that binds the socket for …. …',
    cause: `This version of Node.js cannot bind such a socket by itself, and no Python was found
      that could do it instead.`,
    example: {
      run: 'monoceros --reuse-port shop:app',
      shows: 'Cannot listen at 127.0.0.1:8000: …',
    },
    cure: 'Use the version of Node.js that the line names, or install Python 3.',
    test: 'src/arbiter/listeners-elsewhere.test.ts',
  },
  MONO3008: {
    title: 'This machine does not have that address',
    level: 'error',
    line: 'Cannot listen at …: this machine does not have that address. …',
    cause: `\`--bind\` names an address of another machine, or one that this machine gets only
      later. In a container, the address of the host is not there.`,
    example: {
      run: 'monoceros --bind 192.0.2.1:8000 shop:app',
      shows: '…Cannot listen at 192.0.2.1:8000: this machine does not have that address. …',
    },
    cure: '`ip addr` lists the addresses. `0.0.0.0` listens at all of them.',
    test: 'examples',
  },
  MONO3009: {
    title: 'This machine has no IPv6',
    level: 'error',
    line: 'Cannot listen at …: this machine does not support IPv6. …',
    cause: 'The address is one of IPv6, and the system or the container has it switched off.',
    example: {
      run: "monoceros --bind '[::1]:8000' shop:app",
      shows: 'Cannot listen at [::1]:8000: this machine does not support IPv6. …',
    },
    cure: 'Use an IPv4 address.',
    test: 'src/arbiter/listeners-elsewhere.test.ts',
  },
  MONO3010: {
    title: 'The port needs a privilege',
    level: 'error',
    line: 'Permission denied: …. Ports below 1024 need a privilege …',
    cause: 'Only root, or a process with CAP_NET_BIND_SERVICE, may listen at ports below 1024.',
    example: {
      run: 'monoceros --bind :80 shop:app',
      shows: `Permission denied: 0.0.0.0:80. Ports below 1024 need a privilege (root, or
        CAP_NET_BIND_SERVICE); choose a higher one with --bind.`,
    },
    cure: `Use a port such as 8000, with a proxy or a redirection of ports before it.
      With systemd, a socket unit opens the port: [Deploy](../guides/deploy.md).`,
    test: 'src/arbiter/listeners.test.ts',
  },
  MONO3011: {
    title: 'The folder of a unix socket cannot be used',
    level: 'error',
    line: 'Cannot listen at …: …',
    cause: 'The folder of the socket file does not exist, or this user may not write into it.',
    example: {
      run: 'monoceros --bind unix:/nowhere/shop.sock shop:app',
      shows: '…/nowhere…',
    },
    cure: 'Make the folder, and give it to the user that starts the server.',
    test: 'examples',
  },
  MONO3012: {
    title: 'The server cannot listen, for another reason',
    level: 'error',
    line: 'Cannot listen at …: … (…).',
    cause: 'The system refuses the address with an error that the line names.',
    example: {
      run: 'monoceros --bind 127.0.0.1:8000 shop:app',
      shows: 'Cannot listen at 127.0.0.1:8000: … (ENOBUFS).',
    },
    cure: 'Look the error up in bind(2) and listen(2).',
    test: 'src/arbiter/listeners.test.ts',
  },
  MONO3013: {
    title: 'Sockets of systemd are for another process',
    level: 'warning',
    line: 'LISTEN_FDS is ignored: the sockets are for process …, and this is …. …',
    cause: `systemd names the process that gets its sockets, and a script in between started the
      server as another one.`,
    example: {
      run: 'LISTEN_PID=1 LISTEN_FDS=1 monoceros shop:app',
      shows: 'LISTEN_FDS is ignored: the sockets are for process 1, and this is 4711. …',
    },
    cure: 'Start the server in that script with `exec`.',
    test: 'src/arbiter/systemd/socket-activation.test.ts',
  },
  MONO3101: {
    title: 'Only root can change its user or group',
    level: 'error',
    line: `Cannot run as …: only root can change its user and group, and this is user … with
      group …. …`,
    cause: '`--user` or `--group` names another one than the one that starts the server.',
    example: {
      run: 'monoceros --user nobody shop:app',
      shows: 'monoceros: Cannot run as user nobody: only root can change its user and group, …',
    },
    cure: `Start the server as root, or leave the setting out. With systemd, \`User=\` of the
      unit does it.`,
    test: 'src/arbiter/identity.test.ts',
  },
  MONO3102: {
    title: 'initgroups needs a program that is missing',
    level: 'error',
    line: `initgroups needs setpriv (of util-linux) or python3 to start processes with several
      groups. …`,
    cause: 'Node.js cannot start a process with several groups, so another program does it.',
    example: {
      run: 'monoceros --user www-data --initgroups shop:app',
      shows: `initgroups needs setpriv (of util-linux) or python3 to start processes with
        several groups. …`,
    },
    cure: 'Install util-linux or Python 3, or leave `--initgroups` out.',
    test: 'src/arbiter/identity.test.ts',
  },
  MONO3103: {
    title: 'There is no such user or group any more',
    level: 'error',
    line: 'There is no user …. See --user.',
    cause: `The user or group was in the lists of the system when the settings were read, and is
      not now.`,
    example: {
      run: 'monoceros --user shopkeeper shop:app',
      shows: 'There is no user shopkeeper. See --user.',
    },
    cure: 'Create it again, or name another one.',
    test: 'src/arbiter/identity.test.ts',
  },
  MONO3104: {
    title: 'The pid file cannot be written',
    level: 'error',
    line: 'Cannot write the pid file …: …',
    cause: `The folder does not exist, this user may not write there, or the path is not a
      regular file.`,
    example: {
      run: 'monoceros --pid /nowhere/shop.pid shop:app',
      shows: '…Cannot write the pid file /nowhere/shop.pid: …',
    },
    cure: `Make the folder, or give \`--pid\` another path. \`RuntimeDirectory=\` of systemd
      makes one in \`/run\`.`,
    test: 'examples',
  },
  MONO3105: {
    title: 'The pid file names a process that runs',
    level: 'error',
    line: 'The pid file … names process …, which is running: …. Stop that server first, …',
    cause: `A server with the same pid file runs already, or the file was left behind and its
      number now belongs to another program.`,
    example: {
      run: 'echo $PPID > shop.pid; monoceros --pid shop.pid shop:app',
      shows: '…The pid file …shop.pid names process …, which is running: …',
    },
    cure: `Stop that server, or remove the file if the process is another program, or give
      another path.`,
    test: 'examples',
  },
  MONO3106: {
    title: 'There is no folder for temporary files',
    level: 'error',
    line: `Cannot make a temporary directory in … (…). Choose another with --tmp-upload-dir or
      TMPDIR.`,
    cause: `Large bodies are kept in files, and the folder for them does not exist, is full or
      read-only.`,
    example: {
      run: 'TMPDIR=/nowhere monoceros shop:app',
      shows: '…Cannot make a temporary directory in /nowhere (ENOENT). …',
    },
    cure: 'Set `TMPDIR`, or give `--tmp-upload-dir`, to a folder that this user can write to.',
    test: 'examples',
  },
  MONO3107: {
    title: 'Processes run with the group root',
    level: 'warning',
    line: `User … has no group of its own, so the group of its processes is root. Give one with
      --group.`,
    cause: `\`--user\` is a number without an entry in the lists of the system, so its group is
      not known.`,
    example: {
      run: 'monoceros --user 12345 shop:app',
      shows: 'User 12345 has no group of its own, so the group of its processes is root. …',
    },
    cure: 'Give a group too: `--user 12345 --group 12345`.',
    test: 'tests/e2e/users.test.ts',
  },
  MONO3201: {
    title: 'The certificate of dev_tls cannot be kept',
    level: 'error',
    line: 'Cannot keep the certificate of dev_tls in …: …',
    cause: `The certificate is made once and kept in a cache, which has no folder here, or
      cannot be written.`,
    example: {
      run: 'env -u HOME -u XDG_CACHE_HOME monoceros --dev-tls shop:app',
      shows: '…There is no folder for the certificate of dev_tls: …',
    },
    cure: 'Set `XDG_CACHE_HOME` to a folder that can be written to.',
    test: 'examples',
  },
  MONO3202: {
    title: 'A file of TLS cannot be read',
    level: 'error',
    line: 'Cannot read … (…): …',
    cause: `A certificate, a key or another file of TLS does not exist, may not be read, or is
      far too large.`,
    example: {
      run: 'monoceros --certfile shop.pem shop:app',
      shows: '…Cannot read …shop.pem (certfile): …',
    },
    cure: `Correct the path. Keys are read before the server changes its user, so root may own
      them.`,
    test: 'examples',
  },
  MONO3203: {
    title: 'A file has no certificate or no key',
    level: 'error',
    line: 'There is no certificate in PEM in … (certfile): name another file, or convert it',
    cause: `The file is in another format than PEM, or has a key where a certificate is
      expected, or the other way round.`,
    example: {
      run: 'monoceros --certfile shop.py shop:app',
      shows: `…There is no certificate in PEM in …shop.py (certfile): name another file, or
        convert it`,
    },
    cure: `Convert it: \`openssl x509 -inform der -in shop.cer -out shop.pem\`. PEM files begin
      with \`-----BEGIN\`.`,
    test: 'examples',
  },
  MONO3204: {
    title: 'A certificate or a key is damaged',
    level: 'error',
    line: 'A certificate in … (certfile) is damaged (…). Get it again',
    cause: 'The text between the lines BEGIN and END cannot be decoded: it was cut off or changed.',
    example: {
      files: {
        'shop.pem': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
      },
      run: 'monoceros --certfile shop.pem shop:app',
      shows: '…A certificate in …shop.pem (certfile) is damaged (…). Get it again',
    },
    cure: 'Copy the file again, or request the certificate again.',
    test: 'examples',
  },
  MONO3205: {
    title: 'A certificate and a key do not belong together',
    level: 'error',
    line: 'The certificate in … and the key in … do not belong together: …',
    cause: 'A certificate was made for one key, and this is another one, or there is none at all.',
    example: {
      run:
        'openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=shop -keyout key.pem -out cert.pem\n' +
        'openssl genrsa -out other.pem 2048\n' +
        'monoceros --certfile cert.pem --keyfile other.pem shop:app',
      shows: '…The certificate in …cert.pem and the key in …other.pem do not belong together: …',
    },
    cure: 'Give the key that the certificate was requested with.',
    test: 'examples',
  },
  MONO3206: {
    title: 'The certificates of a file are in the wrong order',
    level: 'error',
    line: "The certificates in … are in the wrong order: put the server's first, …",
    cause: `A file with several certificates begins with that of the server; then come those
      that signed it.`,
    example: {
      run: 'monoceros --certfile chain.pem --keyfile key.pem shop:app',
      shows: "The certificates in chain.pem are in the wrong order: put the server's first, …",
    },
    cure: "`cat server.pem authority.pem > chain.pem`. Of Let's Encrypt, use `fullchain.pem`.",
    test: 'src/certificates/load-tls.test.ts',
  },
  MONO3207: {
    title: 'A key is encrypted, and no passphrase fits',
    level: 'error',
    line: 'The key in … is encrypted: give the file of its passphrase with --key-passphrase-file',
    cause: `The key needs a passphrase: none is given, the file of it is empty, or it is another
      one.`,
    example: {
      run: 'monoceros --certfile cert.pem --keyfile key.pem shop:app',
      shows: `The key in key.pem is encrypted: give the file of its passphrase with
        --key-passphrase-file`,
    },
    cure: `Write the passphrase into a file that only root may read, and name it with
      \`--key-passphrase-file\`.`,
    test: 'src/certificates/load-tls.test.ts',
  },
  MONO3208: {
    title: 'Certificates of clients cannot be checked',
    level: 'error',
    line: `cert_reqs … needs the authorities that sign clients' certificates: give their file
      with --ca-certs`,
    cause: '`--cert-reqs` asks clients for certificates, and nothing says who signs them.',
    example: {
      run: 'monoceros --dev-tls --cert-reqs 2 shop:app',
      shows: `…cert_reqs 2 needs the authorities that sign clients' certificates: give their
        file with --ca-certs`,
    },
    cure: 'Give the certificates of those authorities with `--ca-certs`.',
    test: 'examples',
  },
  MONO3209: {
    title: 'The settings of TLS do not go together',
    level: 'error',
    line: 'OpenSSL knows none of the ciphers "…" (ciphers): see `openssl ciphers -v`',
    cause: 'OpenSSL knows none of the ciphers, or two settings exclude each other.',
    example: {
      run: 'monoceros --dev-tls --ciphers NONE-OF-THEM shop:app',
      shows: `…OpenSSL knows none of the ciphers "NONE-OF-THEM" (ciphers): see \`openssl ciphers
        -v\``,
    },
    cure: 'Leave `--ciphers` and `--ssl-version` out: the defaults of Node.js are good.',
    test: 'examples',
  },
  MONO3210: {
    title: 'OpenSSL does not accept a certificate',
    level: 'error',
    line: 'OpenSSL does not accept the certificate in … (…). Make a new one, …',
    cause: `The key of the certificate is too short, or it was signed in a way that is not
      secure any more.`,
    example: {
      run: 'monoceros --certfile old.pem --keyfile key.pem shop:app',
      shows: `OpenSSL does not accept the certificate in old.pem (ee key too small). Make a new
        one, …`,
    },
    cure: 'Make a new one, with a key of 2048 bits or P-256, and SHA-256.',
    test: 'src/certificates/load-tls.test.ts',
  },
  MONO3211: {
    title: 'New certificates cannot be used',
    level: 'error',
    line: `Certificate files have changed, and cannot be used: …. The previous certificates stay
      in use`,
    cause: `The server reads changed certificate files by itself, and the new ones have a
      mistake, which the line names.`,
    example: {
      run: 'cp other.pem key.pem   # while the server runs',
      shows: `Certificate files have changed, and cannot be used: …. The previous certificates
        stay in use`,
    },
    cure: 'Correct the files. The server tries again at the next change.',
    test: 'src/certificates/served-tls.test.ts',
  },
  MONO3212: {
    title: 'A certificate is not valid now, or not for long',
    level: 'warning',
    line: 'The certificate in … expires in …, on …. Renew it',
    cause: `The certificate expires soon, has expired, or is not valid yet, so that clients
      refuse it.`,
    example: {
      run: 'monoceros --certfile cert.pem --keyfile key.pem shop:app',
      shows: 'The certificate in cert.pem expires in 3 days, on 2026-12-02. Renew it',
    },
    cure: `Renew it; the server takes the new files by itself.
      If it is not valid yet, look at the clock of the machine.`,
    test: 'src/certificates/served-tls.test.ts',
  },
  MONO3213: {
    title: 'Others can read a private key',
    level: 'warning',
    line: 'Every user of this machine can read the private key in …: chmod o-r …',
    cause: 'Who reads the key can pretend to be this server.',
    example: {
      run: 'chmod 644 key.pem; monoceros --certfile cert.pem --keyfile key.pem shop:app',
      shows: 'Every user of this machine can read the private key in key.pem: chmod o-r key.pem',
    },
    cure: '`chmod 600 key.pem`.',
    test: 'src/certificates/load-tls.test.ts',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

/**
 * The arrows of the design: cli → arbiter → acceptor → {http, gateway, runtimes} → wsgi. Each room
 * lists the rooms it may import, in types as well as in values; what is not listed is refused, and
 * so is a room that is not in the table.
 */
const rooms = {
  bytes: [],
  wsgi: [],
  middleware: ['wsgi', 'logging'],
  adapters: ['wsgi'],
  testing: ['wsgi'],
  transport: ['bytes'],
  spool: ['bytes'],
  http: ['bytes', 'transport', 'spool'],
  logging: [],
  settings: ['logging'],
  runtimes: ['bytes', 'wsgi', 'transport', 'settings', 'logging'],
  gateway: ['bytes', 'wsgi', 'http', 'runtimes', 'spool', 'settings', 'logging'],
  acceptor: [
    'bytes',
    'wsgi',
    'transport',
    'http',
    'gateway',
    'runtimes',
    'spool',
    'settings',
    'logging',
  ],
  'python-app': ['bytes', 'wsgi', 'gateway', 'runtimes', 'spool', 'settings', 'logging'],
  'reference-server': ['bytes', 'wsgi', 'http', 'gateway', 'spool', 'logging'],
  arbiter: ['acceptor', 'runtimes', 'settings', 'logging'],
  packages: ['runtimes', 'settings', 'logging'],
  cli: ['arbiter', 'runtimes', 'packages', 'settings', 'logging'],
}

const known = Object.keys(rooms).join('|')

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `arrow-${room}`,
      severity: 'error',
      comment: `${room}/ may import ${allowed.length > 0 ? allowed.map((name) => `${name}/`).join(', ') : 'nothing of ours'}.`,
      // A unit test may call on other rooms to make what its unit is fed.
      from: { path: `^src/${room}/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})/` },
    })),
    {
      name: 'unknown-room',
      severity: 'error',
      comment: 'A new room needs a line in the table above: say what it may import.',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${known})/` },
      to: {},
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment:
        'Imports point one way only; two files that need each other are one file, or need a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      comment: 'An import that leads nowhere would slip through every other rule.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-test-code-in-the-server',
      severity: 'error',
      comment: 'What is shipped must not import a test or what tests are made with.',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: ['\\.test\\.ts$', '^tests/', '^node_modules/(vitest|fast-check)'] },
    },
  ],
  options: {
    // Type-only imports count too: without this they are gone before the rules see them.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
    },
  },
}

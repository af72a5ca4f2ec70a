import { builtinModules } from 'node:module'
import { allowedImports } from './scripts/import-rules.mjs'

const known = Object.keys(allowedImports).join('|')

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(allowedImports).map(([folder, allowed]) => ({
      name: `imports-of-${folder}`,
      severity: 'error',
      comment:
        allowed.length > 0
          ? `src/${folder} may import from ${allowed.join(', ')} only.`
          : `src/${folder} may not import from other folders of src.`,
      // A unit test may use other folders to make the input of what it tests.
      from: { path: `^src/${folder}/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: `^src/(${[folder, ...allowed].join('|')})/` },
    })),
    {
      name: 'unknown-folder',
      severity: 'error',
      comment: 'List the new folder in scripts/import-rules.mjs, with what it may import from.',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${known})/` },
      to: {},
    },
    {
      name: 'versions-of-http',
      severity: 'error',
      comment:
        'What every version of HTTP shares, and the handlers, do not know of one version: use ' +
        'src/http, or pass a Protocol to the HttpServer.',
      from: {
        path: '^src/',
        pathNot: ['^src/http/h[12]/', '^src/(acceptor|reference-server)/', '\\.test\\.ts$'],
      },
      to: { path: '^src/http/h[12]/' },
    },
    {
      name: 'fetch-without-node',
      severity: 'error',
      comment:
        'monoceros/fetch runs on Workers, which have no module of Node.js: what src/fetch.ts ' +
        'imports, directly or not, may import none, nor a type of one.',
      from: { path: '^src/fetch\\.ts$' },
      to: { path: `^(node:)?(${builtinModules.join('|')})$`, reachable: true },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment:
        'Imports point one way. Merge two files that need each other, or move what they share ' +
        'to a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      comment: 'The imported file does not exist. No other rule would see this import.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-test-code-in-the-server',
      severity: 'error',
      comment: 'Published code must not import tests, or packages for tests.',
      from: { path: '^src/', pathNot: '\\.test\\.ts$' },
      to: { path: ['\\.test\\.ts$', '^tests/', '^node_modules/(vitest|fast-check)'] },
    },
  ],
  options: {
    // Without this option type-only imports are removed before the rules see them.
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

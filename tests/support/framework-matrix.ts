/**
 * The frameworks that host applications of ours, and what is tested in each.
 * `tests/release/framework-matrix.test.ts` runs the cases, and `npm run docs` makes the table of
 * `docs/guides/node-servers.md` of the same list.
 *
 * A project in `tests/node-projects/` has `shop.py`, a Flask application, and may have `site.js`,
 * the same in JavaScript. Its programs mount them at `/py` and `/ts`, listen on `PORT`, and say
 * where: `http://127.0.0.1:PORT`. The projects of Next.js and SvelteKit are those of their
 * guides, and mount a `shop:app` at `/shop`; here that is the one of `servers`.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './build.ts'

/** What is tested, in the order of the table. */
export const matrixCases = [
  'mounted',
  'links',
  'redirects',
  'form',
  'session',
  '2 MB upload',
  'stream',
  'client gone',
  'reload',
] as const

export type MatrixCase = (typeof matrixCases)[number]

/** A framework, and a program that has the applications in it. */
export interface MatrixRow {
  /** For the table: its name without a version. */
  readonly name: string
  /** The package whose version the table has; none for Node.js itself. */
  readonly package?: string
  /** In `tests/node-projects/`. */
  readonly project: string
  /** A program of the project (`express.js`), or one of a package with its arguments (`next`). */
  readonly program: readonly [string, ...string[]]
  /** What of Monoceros it uses. */
  readonly uses: string
  /** The paths of the applications that are tested. Default: `/py` and `/ts`. */
  readonly mounts?: readonly string[]
  /** It compiles a route at its first request: on a busy machine, longer than a page may take. */
  readonly compiles?: boolean
  /** Cases that are not tested, with the reason. */
  readonly except?: Partial<Record<MatrixCase, string>>
  /** The binary of Node.js that it needs; by default that of the suite. */
  readonly node?: 'newer'
}

const servers = (name: string, program: string, uses: string, npmPackage?: string): MatrixRow => ({
  name,
  project: 'servers',
  program: [program],
  uses,
  ...(npmPackage === undefined ? {} : { package: npmPackage }),
})
const vite = (npmPackage: string): MatrixRow => ({
  name: 'Vite',
  package: npmPackage,
  project: 'servers',
  program: [`node_modules/${npmPackage}/bin/vite.js`, '--host', '127.0.0.1', '--strictPort'],
  uses: 'monoceros/vite',
})

/** A row whose adapter another row has with both applications. */
const python = (row: MatrixRow): MatrixRow => ({ ...row, mounts: ['/py'] })

/** The rows of the table. */
export const matrix: readonly MatrixRow[] = [
  servers('node:http', 'node-http.js', 'toNodeHandler'),
  servers('Express', 'express.js', 'toNodeHandler', 'express'),
  python(servers('Express', 'express-4.js', 'toNodeHandler', 'express-4')),
  python(servers('Connect', 'connect.js', 'toNodeHandler', 'connect')),
  python(servers('Polka', 'polka.js', 'toNodeHandler', 'polka')),
  servers('Fastify', 'fastify.js', 'toFastifyPlugin', 'fastify'),
  python(servers('NestJS on Express', 'nest-express.js', 'toNodeHandler', '@nestjs/core')),
  python(servers('NestJS on Fastify', 'nest-fastify.js', 'toFastifyPlugin', '@nestjs/core')),
  servers('Koa', 'koa.js', 'toKoaMiddleware', 'koa'),
  python(servers('Koa with koa-mount', 'koa-mount.js', 'toKoaMiddleware', 'koa-mount')),
  servers('Hono on @hono/node-server', 'hono.js', 'toFetchHandler', 'hono'),
  vite('vite'),
  python(vite('vite-7')),
  python(vite('vite-6')),
  {
    name: 'Next.js in development',
    package: 'next',
    project: 'next',
    program: ['next', 'dev', '-H', '127.0.0.1'],
    uses: 'toFetchHandler',
    mounts: ['/shop'],
    compiles: true,
  },
  {
    name: 'SvelteKit in development',
    package: '@sveltejs/kit',
    project: 'sveltekit',
    program: ['vite', 'dev', '--host', '127.0.0.1', '--strictPort'],
    uses: 'toFetchHandler',
    mounts: ['/shop'],
    compiles: true,
    node: 'newer',
  },
]

/** The version that is tested, by the lock file of the project; `''` for Node.js itself. */
export function testedVersion({ project, package: name }: MatrixRow): string {
  if (name === undefined) return ''
  const path = join(repository, 'tests', 'node-projects', project, 'package-lock.json')
  const lock = JSON.parse(readFileSync(path, 'utf8')) as {
    packages: Record<string, { version?: string }>
  }
  const version = lock.packages[`node_modules/${name}`]?.version
  if (version === undefined) throw new Error(`${path} has no package ${name}`)
  return version
}

/** The table as Markdown. */
function drawMatrix(rows: readonly MatrixRow[] = matrix): string {
  const lines = rows.map((row) => {
    const cells = matrixCases.map((name) => (row.except?.[name] === undefined ? '✓' : '–'))
    return `| ${[row.name, testedVersion(row), `\`${row.uses}\``, ...cells].join(' | ')} |`
  })
  const reasons = rows.flatMap((row) =>
    Object.entries(row.except ?? {}).map(([name, why]) => `- ${row.name}, ${name}: ${why}.`),
  )
  const head = ['framework', 'tested version', 'uses', ...matrixCases]
  return [
    `| ${head.join(' | ')} |`,
    `|${'---|'.repeat(head.length)}`,
    ...lines,
    ...(reasons.length > 0 ? ['', ...reasons] : []),
    '',
  ].join('\n')
}

const begin = '<!-- matrix: generated from tests/support/framework-matrix.ts by `npm run docs` -->'
const end = '<!-- /matrix -->'

/** Puts the current table between the markers of a page. Throws if the page has lost them. */
export function withMatrixDrawn(page: string): string {
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error('The page has lost the marks of its matrix')
  return `${page.slice(0, from)}${begin}\n\n${drawMatrix()}\n${page.slice(to)}`
}

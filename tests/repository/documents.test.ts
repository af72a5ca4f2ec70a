import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { transformWithOxc } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { checkTypes, type Diagnostic } from '../support/compiler.ts'
import { exampleNames } from '../support/example.ts'
import { blocksOf, filesOnPage, type PageBlock, withoutBlocks } from '../support/page-blocks.ts'
import { misplacedSentences } from '../support/prose.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runToEnd } from '../support/running-server.ts'
import { outputMatches } from '../support/shown-output.ts'
import { wideLines } from '../support/wide-lines.ts'

// Checks that the pages are true and well formed: their TypeScript compiles, their programs print
// what they show, their tables name the options that exist, and their links and paths lead
// somewhere. (tests/release/tutorial.test.ts runs the tutorial; here only its links, paths and form
// are checked.)
//
// The kind of a block is written behind its language, where readers do not see it:
// - `ts`: is compiled together with the files of its page;
// - `ts file=app.ts`: the same, and other blocks of the page can import it;
// - `ts run`, `python run`: is also run. The `text` block that follows is its output (`…` stands
//   for anything).
//
// `stage` below declares what blocks take for granted, such as the `app` that they wrap.
// A table of options follows a line that ends in `(\`CompressOptions\`):`.

interface Block extends PageBlock {
  readonly page: string
}

const stage = `
import type { WSGIApplication, WSGIEnvironment, WSGIFunction } from 'monoceros'
declare global {
  const app: WSGIFunction
  const api: WSGIApplication
  const site: WSGIApplication
  const pages: WSGIApplication
  const environ: WSGIEnvironment
  const upload: WSGIApplication
}
`

const folders = [
  'docs',
  'docs/decisions',
  'docs/guides',
  'docs/guides/how-to',
  'docs/learn',
  'docs/errors',
  'docs/reference',
]
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'examples/README.md',
  'tests/README.md',
  ...exampleNames().map((name) => `examples/${name}/README.md`),
  ...folders.flatMap((folder) =>
    readdirSync(join(repository, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
]
/** All pages for users. The block in CONTRIBUTING.md is part of a test. */
const checked = pages.filter((page) => page !== 'CONTRIBUTING.md')
const blocks = checked.flatMap((page): Block[] =>
  blocksOf(page).map((block) => ({ page, ...block })),
)
/** Not docs/learn/: its pages share files, and tests/release/learn-pages.test.ts compiles them. */
const sources = blocks.filter(
  ({ page, language }) => language === 'ts' && !page.startsWith('docs/learn/'),
)

function read(page: string): string {
  return readFileSync(join(repository, page), 'utf8')
}

const proseOf = (page: string) => withoutBlocks(read(page))

const pathOf = ({ page, line, marks }: Block) =>
  join(page.replace(/\W/g, '-'), marks.get('file') ?? `block-${line}.ts`)

/** What a user's compiler may be set to. */
const settings: Readonly<Record<string, readonly string[]>> = {
  'without the DOM library': ['es2023'],
  'with the DOM library': ['es2023', 'dom', 'dom.iterable'],
}

describe.each(Object.keys(settings))('TypeScript on the pages, strict, %s', (setting) => {
  let found: Diagnostic[]
  const wrongIn = (name: string) =>
    found.filter(({ file }) => file === name).map(({ line, text }) => `line ${line}: ${text}`)

  beforeAll(async () => {
    const texts: Record<string, string> = {
      'stage.ts': stage,
      'wrong.ts': "import { nothing } from 'monoceros'\nconst length: string = 1\n",
    }
    for (const block of sources) texts[pathOf(block)] = block.text
    for (const page of checked) {
      for (const table of optionTables(page))
        texts[fileOfTable(page, table.name)] = programOf(table)
    }
    // All in one program, which takes seconds. A page need not use all that it shows. Without
    // paths, `monoceros` is what its exports say, as for a user.
    found = await checkTypes(texts, {
      paths: {},
      lib: settings[setting],
      noUncheckedIndexedAccess: true,
      noUnusedLocals: false,
      noUnusedParameters: false,
      moduleDetection: 'force',
    })
  })

  test('what is wrong would be found', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(new Set(sources.map(pathOf)).size).toBe(sources.length)
    expect(wrongIn('wrong.ts')).toEqual([
      expect.stringMatching(/^line 1: .*no exported member/),
      expect.stringMatching(/^line 2: .*not assignable/),
    ])
    expect(wrongIn('stage.ts')).toEqual([])
  })

  test.each(checked.filter((page) => sources.some((block) => block.page === page)))(
    'the blocks of %s compile',
    (page) => {
      const wrong = sources
        .filter((block) => block.page === page)
        .flatMap((block) =>
          wrongIn(pathOf(block)).map((text) => `${page}:${block.line}, in the block, ${text}`),
        )
      expect(wrong).toEqual([])
    },
  )

  test.each(checked)('the tables of options on %s name those that there are', (page) => {
    const tables = optionTables(page)
    for (const { name } of tables)
      expect(wrongIn(fileOfTable(page, name)), `${page}: the options of ${name}`).toEqual([])
    if (page === 'docs/reference/middleware.md') expect(tables.length).toBeGreaterThan(10)
  })

  test('an option that is missing in a table would be found, and one that there is not', async () => {
    const wrong = await checkTypes({
      'fewer.ts': programOf({ name: 'BodyLimitOptions', options: [] }),
      'more.ts': programOf({
        name: 'BodyLimitOptions',
        options: ['maxBytes', 'tooLarge', 'invented'],
      }),
    })
    expect(wrong.find(({ file }) => file === 'fewer.ts')?.text).toMatch(/missing/)
    expect(wrong.find(({ file }) => file === 'more.ts')?.text).toMatch(/'invented' does not exist/)
  })
})

const fileOfTable = (page: string, name: string) =>
  join(page.replace(/\W/g, '-'), `options-${name}.ts`)

/** Compiles if the names are exactly the properties of the type. */
function programOf({ name, options }: { name: string; options: readonly string[] }): string {
  const named = options.map((option) => `${option}: true`).join(', ')
  return (
    `import type { ${name} } from '${moduleOf(name)}'\n` +
    `export const all: Record<keyof ${name}, true> = { ${named} }\n`
  )
}

function moduleOf(type: string): string {
  if (type.startsWith('Vite')) return 'monoceros/vite'
  return /^Test[A-Z]/.test(type) ? 'monoceros/testing' : 'monoceros'
}

/**
 * Tables below a line such as "Options (`CompressOptions`):", with the names in their first column.
 */
function optionTables(page: string): { name: string; options: string[] }[] {
  const lines = read(page).split('\n')
  return lines.flatMap((line, index) => {
    const name = /\(`(\w+)`\):$/.exec(line)?.[1]
    if (name === undefined) return []
    const options: string[] = []
    for (let row = index + 4; lines[row]?.startsWith('|'); row++) {
      for (const [, option] of lines[row]!.split('|')[1]!.matchAll(/`(\w+)`/g))
        options.push(option!)
    }
    return [{ name, options }]
  })
}

describe('programs on the pages', () => {
  const work = temporaryDirectory()
  afterAll(() => work.remove())
  const programs = sources.filter(({ marks }) => marks.has('run'))

  beforeAll(() => {
    mkdirSync(join(work.path, 'node_modules'))
    symlinkSync(repository, join(work.path, 'node_modules', 'monoceros'))
    for (const name of ['hono', 'pino', 'ws'])
      symlinkSync(join(repository, 'node_modules', name), join(work.path, 'node_modules', name))
    writeFileSync(join(work.path, 'package.json'), '{ "private": true, "type": "module" }\n')
  })

  test('there are some', () => expect(programs.length).toBeGreaterThan(3))

  test.each(programs.map((block) => [`${block.page}:${block.line}`, block] as const))(
    '%s',
    async (_, block) => {
      const name = `${block.page.replace(/\W/g, '-')}-${block.line}.mjs`
      // The oldest Node that is supported cannot strip types itself.
      writeFileSync(join(work.path, name), (await transformWithOxc(block.text, `${name}.ts`)).code)
      const { code, stdout, stderr } = await runToEnd(process.execPath, [name], {
        env: { PATH: process.env.PATH },
        cwd: work.path,
      })
      expectShown(block, { code, stdout, stderr })
    },
  )

  const inPython = blocks.filter(({ language, marks }) => language === 'python' && marks.has('run'))

  test
    .skipIf(!hasPython())
    .each(inPython.map((block) => [`${block.page}:${block.line}`, block] as const))(
    '%s',
    async (_, block) => {
      const name = `${block.page.replace(/\W/g, '_')}_${block.line}.py`
      writeFileSync(join(work.path, name), block.text)
      const output = await runToEnd(testPython().executable, [name], {
        env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' },
        cwd: work.path,
      })
      expectShown(block, output)
    },
  )
})

/** Compares what a program has printed with the block `text` that follows it. */
function expectShown(
  block: Block,
  { code, stdout, stderr }: { code: number | null; stdout: string; stderr: string },
): void {
  expect(stderr).toBe('')
  expect(code).toBe(0)
  const next = blocks[blocks.indexOf(block) + 1]
  const shown = next?.page === block.page && next.language === 'text' ? next.text : null
  expect(shown, 'what it prints is on the page').not.toBeNull()
  if (!outputMatches(shown!, stdout)) expect(stdout).toBe(shown)
}

test('examples/app.ts is what the first guide shows', () => {
  const files = filesOnPage(blocksOf('docs/guides/getting-started.md'))
  expect(files.get('app.ts')).toBe(read('examples/app.ts'))
})

test.each(pages)('the links of %s lead somewhere', (page) => {
  const broken: string[] = []
  for (const [, target] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?|mailto):/.test(target!)) continue
    const [path = '', anchor] = target!.split('#')
    const file = path === '' ? page : relative(repository, join(repository, dirname(page), path))
    if (!existsSync(join(repository, file))) broken.push(target!)
    else if (anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).has(anchor))
      broken.push(target!)
  }
  expect(broken).toEqual([])
})

/** Paths on the pages that are not in a clone: made by a run, or not there yet. */
const absentPaths = [
  'bench/.tools',
  'bench/.venv',
  'docs/benchmark.md',
  'src/http/h2/',
  'src/metrics/',
  'tests/.cache',
  'tests/.node',
  'tests/.venv',
]

/** Names of files on the pages that are a user's own. */
const foreignFiles = [
  'app.jest.mjs',
  'gunicorn.conf.py',
  'monoceros.config.mjs',
  'monoceros.config.ts',
]

const fileNames = new Set(
  ['bench', 'examples', 'python', 'scripts', 'src', 'tests']
    .flatMap(sourcesBelow)
    .map((path) => basename(path))
    .concat(readdirSync(repository))
    // What a reader of docs/learn/ makes.
    .concat(blocks.map(({ marks }) => marks.get('file') ?? '')),
)

test.each(pages)('the files that %s names without a folder exist somewhere', (page) => {
  const named = [...proseOf(page).matchAll(/`([^`\s/]+\.(?:ts|py|mjs))`/g)].map(([, name]) => name!)
  // `*` and `NAME` stand for many names.
  const missing = named.filter(
    (name) => !/[*…]|[A-Z]{4}/.test(name) && !foreignFiles.includes(name) && !fileNames.has(name),
  )
  expect(missing).toEqual([])
})

test.each(pages)('the functions that %s names are in the files that it names', (page) => {
  const named = proseOf(page).matchAll(/`(#?\w+)\(\)` in `([\w/.-]+\.(?:ts|py))`/g)
  const missing = [...named]
    .filter(([, name, path]) => !read(path!).includes(`${name}(`))
    .map(([text]) => text)
  expect(missing).toEqual([])
})

test('the tests that docs/design.md quotes exist', () => {
  const page = read('docs/design.md')
  const rows = page.slice(page.indexOf('## What happens when'))
  const quoted = [...rows.matchAll(/"([^"\n]+)"|`(test_\w+…?)`/g)].map(
    ([, title, method]) => title ?? method!,
  )
  expect(quoted.length).toBeGreaterThan(15)
  const tests = ['src', 'tests', 'python/tests']
    .flatMap(sourcesBelow)
    .filter((file) => /\.test\.ts$|\.py$/.test(file) && !file.endsWith('/documents.test.ts'))
    .map(read)
  // `…` at the end stands for the rest of a title.
  const missing = quoted.filter(
    (title) => !tests.some((code) => code.includes(title.replace(/…$/, ''))),
  )
  expect(missing).toEqual([])
})

test.each(pages)('the files and folders that %s names exist', (page) => {
  const text = proseOf(page)
  const named = [...text.matchAll(/`((?:src|tests|python|scripts|bench|docs|examples)\/[^`\s]*)`/g)]
    .map(([, path]) => path!)
    // `*` and `NAME` stand for many names.
    .filter((path) => !/[*…]|[A-Z]{4}/.test(path.replace(/[A-Z]+\.md$/, '')))
  const missing = named.filter(
    (path) =>
      !absentPaths.includes(path) &&
      !existsSync(join(repository, path)) &&
      // An example names its own files.
      !(page.startsWith('examples/') && existsSync(join(repository, dirname(page), path))),
  )
  expect(missing).toEqual([])
})

test.each(pages)('%s has one sentence on each line', (page) => {
  expect(misplacedSentences(read(page))).toEqual([])
})

/** Files with lines over 100 columns, and why these lines stay as they are. */
const wideFiles: Readonly<Record<string, string>> = {
  'src/middleware/static-files/static-files.test.ts': 'a list of paths, on few lines',
  'src/process/exit-status.ts': 'a type that the formatter keeps on one line',
  'src/wsgi/validator/wrong-applications.test.ts': 'a table of cases, a row each',
  'src/wsgi/validator/wrong-servers.test.ts': 'a table of cases, a row each',
}

test('lines of code and comments are at most 100 columns wide', () => {
  const files = ['bench', 'examples', 'python', 'scripts', 'src', 'tests'].flatMap(sourcesBelow)
  expect(files.length).toBeGreaterThan(500)
  const wide = files
    .filter((file) => !(file in wideFiles))
    .flatMap((file) => wideLines(file, read(file)).map((line) => `${file}:${line}`))
  expect(wide).toEqual([])
})

/** The source files in a folder of the repository, except what is installed or built there. */
function sourcesBelow(folder: string): string[] {
  return readdirSync(join(repository, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory())
      return /^(\.|node_modules$|__pycache__$|results$)/.test(entry.name) ? [] : sourcesBelow(path)
    return /\.(ts|mjs|js|py)$|\/monoceros-worker$/.test(path) ? [path] : []
  })
}

describe('the pages about the design', () => {
  test('docs/decisions/README.md lists every decision', async () => {
    const script = pathToFileURL(join(repository, 'scripts', 'decision-index.mjs')).href
    const { decisionsIn, withDecisionsListed } = await import(script)
    const folder = join(repository, 'docs', 'decisions')
    const numbers = decisionsIn(folder).map(({ name }: { name: string }) =>
      Number.parseInt(name, 10),
    )
    // A number may be missing while its page is written elsewhere; none is there twice.
    expect(numbers).toEqual([...new Set<number>(numbers)].sort((a, b) => a - b))
    const page = read('docs/decisions/README.md')
    expect(page, 'run `npm run docs`').toBe(withDecisionsListed(page, folder))
  })

  test('docs/design.md describes every folder of src', () => {
    const page = read('docs/design.md')
    const missing = readdirSync(join(repository, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !page.includes(`\n  ${entry.name}/ `))
      .map(({ name }) => name)
    expect(missing).toEqual([])
  })
})

/** The anchors that GitHub makes of headings. */
function anchorsOf(page: string): Set<string> {
  const headings = proseOf(page).matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

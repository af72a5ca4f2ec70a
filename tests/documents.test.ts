import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from './support/applications.ts'
import { repository } from './support/build.ts'
import { runToEnd } from './support/running-server.ts'
import { outputMatches } from './support/tutorial-page.ts'

// What the pages show is true: their TypeScript compiles, what they run prints what they show, their tables name the options that there are, their links lead
// somewhere. (The tutorial has a runner of its own, tests/tutorial.test.ts; only its links are looked at here.)
//
// What a block is stands behind its language, where readers do not see it:
// - `ts`: compiled, with the other blocks of its page that are files beside it;
// - `ts file=app.ts`: the same, and can be imported by others of the page;
// - `ts run`: a program that is run too; a `text` block right behind it is what it prints (`…` is anything).
//
// What a block takes for granted, such as the `app` that it wraps, is in `stage` below.
// A table of options stands below a line that has `(\`CompressOptions\`)` at its end.

interface Block {
  readonly page: string
  readonly line: number
  readonly language: string
  readonly attribute: string
  readonly text: string
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

const folders = ['docs', 'docs/guides', 'docs/reference']
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'examples/README.md',
  ...folders.flatMap((folder) =>
    readdirSync(join(repository, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}/${name}`),
  ),
]
const checked = pages.filter((page) => /^README|^docs\/(guides|reference)\//.test(page) && !isTutorial(page))
const blocks = checked.flatMap((page) => blocksOf(page))
const sources = blocks.filter(({ language }) => language === 'ts')

function isTutorial(page: string): boolean {
  return page.endsWith('/tutorial.md')
}

function read(page: string): string {
  return readFileSync(join(repository, page), 'utf8')
}

function blocksOf(page: string): Block[] {
  const found: Block[] = []
  let open: { line: number; info: string; text: string } | null = null
  for (const [index, line] of read(page).split('\n').entries()) {
    if (open === null) {
      if (line.startsWith('```')) open = { line: index + 1, info: line.slice(3), text: '' }
    } else if (line === '```') {
      const [language = '', attribute = ''] = open.info.split(' ')
      found.push({ page, line: open.line, language, attribute, text: open.text })
      open = null
    } else open.text += `${line}\n`
  }
  if (open !== null) throw new Error(`${page}: line ${open.line}: a block without an end`)
  return found
}

function nameOf({ line, attribute }: Block): string {
  return attribute.startsWith('file=') ? attribute.slice('file='.length) : `block-${line}.ts`
}

/** All blocks, beside each other by page, in one program, which takes seconds. */
function compile(texts: ReadonlyMap<string, string>): ts.Program {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(repository, 'tsconfig.json'),
    // A page need not use all that it shows.
    { noUnusedLocals: false, noUnusedParameters: false, moduleDetection: ts.ModuleDetectionKind.Force },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  )!
  const host = ts.createCompilerHost(config.options)
  const { fileExists, readFile, getSourceFile, directoryExists } = host
  const directories = new Set([...texts.keys()].map((name) => dirname(name)))
  host.directoryExists = (name) => directories.has(name) || directoryExists!(name)
  host.fileExists = (name) => texts.has(name) || fileExists(name)
  host.readFile = (name) => texts.get(name) ?? readFile(name)
  host.getSourceFile = (name, options) => {
    const text = texts.get(name)
    return text === undefined ? getSourceFile(name, options) : ts.createSourceFile(name, text, options, true)
  }
  return ts.createProgram([...texts.keys()], config.options, host)
}

const root = join(repository, 'tests', 'pages-of-the-documents')
const pathOf = (block: Block) => join(root, block.page.replace(/\W/g, '-'), nameOf(block))
const stagePath = join(root, 'stage.ts')
const surfacePath = join(root, 'surface.ts')

describe('TypeScript on the pages', () => {
  let program: ts.Program
  beforeAll(() => {
    const texts = new Map(sources.map((block) => [pathOf(block), block.text]))
    texts.set(stagePath, stage)
    texts.set(surfacePath, "export * from 'monoceros'\n")
    texts.set(join(root, 'wrong.ts'), "import { nothing } from 'monoceros'\nconst length: string = 1\n")
    program = compile(texts)
  })
  const diagnosticsOf = (path: string): string[] => {
    const file = program.getSourceFile(path)!
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ start, messageText }) =>
        `line ${file.getLineAndCharacterOfPosition(start ?? 0).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
  }

  test('what is wrong would be found', () => {
    expect(sources.length).toBeGreaterThan(20)
    expect(new Set(sources.map(pathOf)).size).toBe(sources.length)
    expect(diagnosticsOf(join(root, 'wrong.ts'))).toEqual([
      expect.stringMatching(/^line 1: .*no exported member/),
      expect.stringMatching(/^line 2: .*not assignable/),
    ])
    expect(diagnosticsOf(stagePath)).toEqual([])
  })

  test.each(checked.filter((page) => sources.some((block) => block.page === page)))(
    'the blocks of %s compile',
    (page) => {
      const wrong = sources
        .filter((block) => block.page === page)
        .flatMap((block) =>
          diagnosticsOf(pathOf(block)).map((text) => `${page}:${block.line}, in the block, ${text}`),
        )
      expect(wrong).toEqual([])
    },
  )

  test.each(checked)('the tables of options on %s name those that there are', (page) => {
    const checker = program.getTypeChecker()
    const surface = program.getSourceFile(surfacePath)!
    const exported = new Map(
      checker
        .getExportsOfModule(checker.getSymbolAtLocation(surface)!)
        .map((symbol) => [symbol.name, symbol] as const),
    )
    for (const { name, options } of optionTables(page)) {
      const symbol = exported.get(name)
      expect(symbol, `${page}: ${name} is exported`).toBeDefined()
      const known = checker
        .getDeclaredTypeOfSymbol(symbol!)
        .getProperties()
        .map((property) => property.name)
      expect(options.toSorted(), `${page}: the options of ${name}`).toEqual(known.toSorted())
    }
    if (page === 'docs/reference/middleware.md') expect(optionTables(page).length).toBeGreaterThan(10)
  })
})

/** Tables below a line such as "Options (`CompressOptions`):", with the names in their first column. */
function optionTables(page: string): { name: string; options: string[] }[] {
  const lines = read(page).split('\n')
  return lines.flatMap((line, index) => {
    const name = /\(`(\w+)`\):$/.exec(line)?.[1]
    if (name === undefined) return []
    const options: string[] = []
    for (let row = index + 4; lines[row]?.startsWith('|'); row++) {
      for (const [, option] of lines[row]!.split('|')[1]!.matchAll(/`(\w+)`/g)) options.push(option!)
    }
    return [{ name, options }]
  })
}

describe('programs on the pages', () => {
  const work = temporaryDirectory()
  afterAll(() => work.remove())
  const programs = sources.filter(({ attribute }) => attribute === 'run')

  beforeAll(() => {
    mkdirSync(join(work.path, 'node_modules'))
    symlinkSync(repository, join(work.path, 'node_modules', 'monoceros'))
    writeFileSync(join(work.path, 'package.json'), '{ "private": true, "type": "module" }\n')
  })

  test('there are some', () => expect(programs.length).toBeGreaterThan(3))

  test.each(programs.map((block) => [`${block.page}:${block.line}`, block] as const))(
    '%s',
    async (_, block) => {
      const name = `${block.page.replace(/\W/g, '-')}-${block.line}.mjs`
      // The oldest Node that is supported cannot strip types itself.
      writeFileSync(join(work.path, name), withoutTypes(block.text))
      const { code, stdout, stderr } = await runToEnd(process.execPath, [name], {
        env: { PATH: process.env.PATH },
        cwd: work.path,
      })
      expect(stderr).toBe('')
      expect(code).toBe(0)
      const next = blocks[blocks.indexOf(block) + 1]
      const shown = next?.page === block.page && next.language === 'text' ? next.text : null
      expect(shown, 'what it prints is on the page').not.toBeNull()
      if (!outputMatches(shown!, stdout)) expect(stdout).toBe(shown)
    },
  )
})

function withoutTypes(text: string): string {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  }
  return ts.transpileModule(text, { compilerOptions }).outputText
}

test('examples/app.ts is what the README shows', () => {
  const shown = blocks.find(({ page, attribute }) => page === 'README.md' && attribute === 'file=app.ts')
  expect(shown?.text).toBe(read('examples/app.ts'))
})

test.each(pages)('the links of %s lead somewhere', (page) => {
  const text = read(page).replace(/^```[\s\S]*?^```$/gm, '')
  const broken: string[] = []
  for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^(https?|mailto):/.test(target!)) continue
    const [path = '', anchor] = target!.split('#')
    const file = path === '' ? page : relative(repository, join(repository, dirname(page), path))
    if (!existsSync(join(repository, file))) broken.push(target!)
    else if (anchor !== undefined && file.endsWith('.md') && !anchorsOf(file).has(anchor))
      broken.push(target!)
  }
  expect(broken).toEqual([])
})

/** The anchors that GitHub makes of headings. */
function anchorsOf(page: string): Set<string> {
  const headings = read(page)
    .replace(/^```[\s\S]*?^```$/gm, '')
    .matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(([, title]) =>
      title!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

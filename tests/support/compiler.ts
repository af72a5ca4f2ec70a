import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repository } from './build.ts'

/** The compiler that the package is built with. */
export const compilerPath = join(repository, 'node_modules', 'typescript-7', 'bin', 'tsc')

/** What the compiler has to say of one line. */
export interface Diagnostic {
  /** As it was given to {@link checkTypes}. */
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** TypeScript's number: 2322 for TS2322. */
  readonly code: number
  readonly text: string
}

/**
 * Checks the types of some files in one program, with the options of the repository's
 * `tsconfig.json`.
 *
 * @param texts by file name; they may import each other, `monoceros`, and what is in
 * `../../../src/`
 * @param options compiler options, over those of the repository
 * @example await checkTypes({ 'page/app.ts': "import { compose } from 'monoceros'" })
 */
export async function checkTypes(
  texts: Readonly<Record<string, string>>,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Diagnostic[]> {
  const cache = join(repository, 'tests', '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'types-'))
  try {
    for (const [name, text] of Object.entries(texts)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const configuration = {
      extends: join(repository, 'tsconfig.json'),
      compilerOptions: options,
      files: Object.keys(texts),
      include: [],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(configuration))
    return diagnosticsIn(await printed(folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function printed(folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [compilerPath, '-p', '.', '--pretty', 'false'],
      { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error !== null && stdout === '') reject(new Error(stderr || error.message))
        else resolve(stdout)
      },
    )
  })
}

function diagnosticsIn(text: string): Diagnostic[] {
  const found: Diagnostic[] = []
  for (const line of text.trimEnd().split('\n')) {
    const [, file, number, code, message] =
      /^(.+?)\((\d+),\d+\): error TS(\d+): (.*)$/.exec(line) ?? []
    if (file !== undefined)
      found.push({ file, line: Number(number), code: Number(code), text: message as string })
    // The rest of a message of several lines is indented.
    else if (line !== '' && !line.startsWith(' '))
      throw new Error(`the compiler says what concerns no file: ${line}`)
  }
  return found
}

import { execFile, execFileSync } from 'node:child_process'
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'

/** The Go program. */
const PROGRAM = 'github.com/summerwind/h2spec/cmd/h2spec'
/**
 * What it is built of. It names no versions itself, and the newest ones of its modules need a newer
 * Go than Debian 12 has.
 */
const MODULE = `module h2spec

go 1.19

require (
\tgithub.com/fatih/color v1.16.0
\tgithub.com/spf13/cobra v1.8.0
\tgithub.com/summerwind/h2spec v2.2.1+incompatible
\tgolang.org/x/net v0.20.0
)
`
/** How long that may take, in milliseconds: mostly, it waits for downloads. */
const BUILD_MS = 300_000
const cache = join(repository, 'tests', '.cache', 'go')

/**
 * Finds h2spec on `PATH` or in `~/go/bin`, or builds it with Go into `tests/.cache`. Without any of
 * these it says so and gives null; if CI is set, it throws.
 */
export function findH2spec(): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter), join(homedir(), 'go', 'bin')]
  for (const folder of [...folders, join(cache, 'bin')]) {
    const path = join(folder, 'h2spec')
    if (folder !== '' && isProgram(path)) return path
  }
  try {
    const built = join(cache, 'bin', 'h2spec')
    mkdirSync(join(cache, 'h2spec'), { recursive: true })
    writeFileSync(join(cache, 'h2spec', 'go.mod'), MODULE)
    execFileSync('go', ['build', '-mod=mod', '-o', built, PROGRAM], {
      cwd: join(cache, 'h2spec'),
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: BUILD_MS,
    })
    return built
  } catch (error) {
    const missing = `There is no h2spec, and Go cannot build it: ${(error as Error).message}`
    if (process.env.CI) throw new Error(missing)
    console.warn(`\n*** ${missing}\n*** The conformance tests of HTTP/2 are SKIPPED.\n`)
    return null
  }
}

/** What h2spec has found. */
export interface H2specReport {
  /** How many cases there are. */
  readonly cases: number
  /** Those that did not pass: `http2/5.1 closed: Sends a DATA frame`. */
  readonly failed: string[]
}

/**
 * Runs all cases, in strict mode. Those that fail beyond `exceptions` are run again: between two
 * frames of a case, a busy machine may take longer than the answer.
 */
export async function runH2spec(
  program: string,
  server: { port: number },
  { exceptions, tls = false }: { exceptions: string[]; tls?: boolean },
): Promise<H2specReport> {
  const { passed, failed } = await runCases(program, server, tls)
  const others = failed.filter((name) => !exceptions.includes(name))
  const passedThen: string[] = []
  // One by one: of a section and one below it, h2spec runs only the latter.
  for (const section of new Set(others.map((name) => name.split(' ')[0]!)))
    passedThen.push(...(await runCases(program, server, tls, [section])).passed)
  if (others.length > 0) console.log('failed once:', others)
  return {
    cases: passed.length + failed.length,
    failed: failed.filter((name) => exceptions.includes(name) || !passedThen.includes(name)),
  }
}

async function runCases(
  program: string,
  { port }: { port: number },
  secure: boolean,
  sections: string[] = [],
): Promise<{ passed: string[]; failed: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-h2spec-'))
  try {
    const report = join(folder, 'report.xml')
    const tls = secure ? ['-t', '-k'] : []
    // Cases of streams that are half closed send a second frame for a request: the answer must not
    // have been faster. Those of windows take an answer in pieces.
    const slow = ['-P', '/nap?ms=200&text=0123456789']
    const to = ['-h', '127.0.0.1', '-p', String(port), ...tls]
    const args = ['-S', '-o', '6', '-j', report, ...slow, ...to, ...sections]
    // Its status is 1 if a case fails.
    await promisify(execFile)(program, args, { timeout: 170_000 }).catch((error) => {
      if (error.code !== 1) throw error
    })
    return read(readFileSync(report, 'latin1'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Reads a report in the form of JUnit. */
function read(xml: string): { passed: string[]; failed: string[] } {
  const passed: string[] = []
  const failed: string[] = []
  const pattern = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g
  for (const [, section, title, result] of xml.matchAll(pattern)) {
    const list = /<(error|failure|skipped)/.test(result!) ? failed : passed
    list.push(`${section} ${title}`)
  }
  return { passed, failed }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

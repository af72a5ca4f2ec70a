/**
 * `monoceros ctl profile` and `monoceros ctl memory`: what the application of a running server does
 * with its time and its memory. The files are written here, by the user of the command.
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { extname, isAbsolute, resolve } from 'node:path'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { collapsed } from '../profile/collapsed.ts'
import { FRAMES_AT, type StackFindings, timeOf, type Weight } from '../profile/findings.ts'
import { flameGraph } from '../profile/flame-graph.ts'
import { functionLabel, timeLabel } from '../profile/labels.ts'
import type { MemoryLine } from '../profile/memory.ts'
import { pprof } from '../profile/pprof.ts'
import { PROFILE_LIMITS, SNAPSHOT_MS } from '../profile/requests.ts'
import { speedscope } from '../profile/speedscope.ts'
import { ControlFailure, type ControlTarget, callServer } from './control-client.ts'
import { CtlUsageError, wholeNumber } from './ctl-arguments.ts'
import type {
  HeapRequest,
  HeapResult,
  MemoryRequest,
  MemoryResult,
  ProfileRequest,
  ProfileResult,
  Unprofiled,
} from './profile-protocol.ts'
import { harmlessLines } from './tables.ts'

/** Added to the time that a profile takes, in milliseconds. */
const LATE_MS = 20_000
const FORMATS = ['svg', 'speedscope', 'pprof', 'collapsed', 'cpuprofile', 'json'] as const
const MEMORY_FORMATS = ['json', 'heapsnapshot'] as const
/** What is shown without a file. */
const SHOWN = 15

type Format = (typeof FORMATS)[number]
type MemoryFormat = (typeof MEMORY_FORMATS)[number]

/** By the end of a file's name. */
const EXTENSIONS: Readonly<Record<string, Format>> = {
  '.svg': 'svg',
  '.json': 'speedscope',
  '.speedscope': 'speedscope',
  '.pb': 'pprof',
  '.gz': 'pprof',
  '.pprof': 'pprof',
  '.txt': 'collapsed',
  '.collapsed': 'collapsed',
  '.folded': 'collapsed',
  '.cpuprofile': 'cpuprofile',
}

/** The options of these commands, apart from those of every `monoceros ctl`. */
interface ProfileOptions {
  readonly seconds: number
  readonly hertz: number
  readonly worker: number | null
  readonly output: string | null
  readonly format: string | null
  readonly weight: Weight
  readonly top: number
}

/** What `profile` and `memory` need of the command. */
export interface ProfileContext {
  readonly cwd: string
  readonly json: boolean
  readonly write: (text: string | Uint8Array) => void
}

/** Takes the options of profiles out of the arguments of the command. @throws CtlUsageError */
export function profileArguments(args: readonly string[]): {
  options: ProfileOptions
  rest: string[]
} {
  const given = new Map<string, string>()
  const rest: string[] = []
  const names = ['seconds', 'hertz', 'worker', 'output', 'format', 'weight', 'top']
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]
    const [, name = '', inline] =
      /^--([a-z]+)(?:=(.*))?$/s.exec(arg === '-o' ? '--output' : arg) ?? []
    if (!names.includes(name)) {
      rest.push(arg)
      continue
    }
    const value = inline ?? args[++at]
    if (value === undefined || value === '')
      throw new CtlUsageError(coded('MONO6001', `--${name}: a value is missing`))
    given.set(name, value)
  }
  const weight = given.get('weight') ?? 'wall'
  if (weight !== 'wall' && weight !== 'cpu')
    throw new CtlUsageError(
      coded('MONO6001', `--weight: expected wall or cpu, got ${JSON.stringify(weight)}`),
    )
  const worker = given.get('worker')
  const options = {
    seconds: amount('seconds', given),
    hertz: amount('hertz', given),
    worker: worker === undefined ? null : wholeNumber('--worker', worker),
    output: given.get('output') ?? null,
    format: given.get('format') ?? null,
    weight,
    top: amount('top', given),
  } as const
  if (options.hertz < 1) throw new CtlUsageError(coded('MONO6001', '--hertz: expected at least 1'))
  if (!Number.isInteger(options.top))
    throw new CtlUsageError(coded('MONO6001', '--top: expected a whole number'))
  return { options, rest }
}

function amount(name: keyof typeof PROFILE_LIMITS, given: ReadonlyMap<string, string>): number {
  const { most, usual } = PROFILE_LIMITS[name]
  const text = given.get(name)
  if (text === undefined) return usual
  const value = Number(text)
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || value === 0 || value > most)
    throw new CtlUsageError(
      coded(
        'MONO6001',
        `--${name}: expected a number above 0 and up to ${most}, got ${JSON.stringify(text)}`,
      ),
    )
  return value
}

/** Checks the format before anything is asked. @throws CtlUsageError */
export function checkFormat(command: 'profile' | 'memory', options: ProfileOptions): void {
  if (command === 'profile') formatOf(options)
  else memoryFormatOf(options)
}

/** Runs `monoceros ctl profile`. @throws ControlFailure, CtlUsageError */
export async function runProfile(
  server: ControlTarget,
  options: ProfileOptions,
  { cwd, json, write }: ProfileContext,
): Promise<void> {
  const format = formatOf(options)
  const { seconds, hertz, worker, output } = options
  const result = await callServer<ProfileResult>(server, {
    method: 'POST',
    name: 'profile',
    given: { seconds, hertz, worker, raw: format === 'cpuprofile' } satisfies ProfileRequest,
    withinMs: seconds * 1000 + LATE_MS,
  })
  if (output === null) {
    const text = format === null || format === 'json' ? null : contentOf(result, format, options)
    if (text !== null) write(text)
    else if (json || format === 'json') write(`${JSON.stringify(result, null, 2)}\n`)
    else write(`${harmlessLines(profileView(result, options.weight).join('\n'))}\n`)
    return
  }
  writeFile(resolvePath(cwd, output), contentOf(result, format ?? 'svg', options))
  const { failed, workers, findings } = result
  const lines = [
    `Wrote ${output}: ${findings.samples} samples of ${workers.length - failed.length} workers`,
    ...failures(failed),
  ]
  write(
    json ? `${JSON.stringify({ output, workers, failed }, null, 2)}\n` : `${lines.join('\n')}\n`,
  )
}

/** Runs `monoceros ctl memory`. @throws ControlFailure, CtlUsageError */
export async function runMemory(
  server: ControlTarget,
  options: ProfileOptions,
  { cwd, json, write }: ProfileContext,
): Promise<void> {
  const { seconds, top, worker, output } = options
  const format = memoryFormatOf(options)
  if (format === 'heapsnapshot') {
    if (output === null)
      throw new CtlUsageError(coded('MONO6001', '--output: a heap snapshot needs a file'))
    const size = await saveSnapshot(server, worker, resolvePath(cwd, output))
    write(json ? `${JSON.stringify({ output, size })}\n` : `Wrote ${output}: ${bytes(size)}\n`)
    return
  }
  const result = await callServer<MemoryResult>(server, {
    method: 'POST',
    name: 'memory',
    given: { seconds, top, worker } satisfies MemoryRequest,
    withinMs: seconds * 1000 + LATE_MS,
  })
  const shown = `${JSON.stringify(result, null, 2)}\n`
  if (output !== null) {
    writeFile(resolvePath(cwd, output), shown)
    write(`Wrote ${output}\n`)
  } else
    write(json || format === 'json' ? shown : `${harmlessLines(memoryView(result).join('\n'))}\n`)
}

function formatOf({ format, output }: ProfileOptions): Format | null {
  if (format !== null) return oneOf(FORMATS, format)
  if (output === null) return null
  const found = EXTENSIONS[extname(output).toLowerCase()]
  if (found !== undefined) return found
  throw new CtlUsageError(
    coded(
      'MONO6001',
      `--output: the format of ${JSON.stringify(output)} is not known by its name; ` +
        `give --format, one of ${FORMATS.join(', ')}`,
    ),
  )
}

function memoryFormatOf({ format, output }: ProfileOptions): MemoryFormat | null {
  if (format !== null) return oneOf(MEMORY_FORMATS, format)
  return output !== null && extname(output) === '.heapsnapshot' ? 'heapsnapshot' : null
}

function oneOf<Name extends string>(names: readonly Name[], given: string): Name {
  if ((names as readonly string[]).includes(given)) return given as Name
  throw new CtlUsageError(
    coded(
      'MONO6001',
      `--format: expected one of ${names.join(', ')}, got ${JSON.stringify(given)}`,
    ),
  )
}

function contentOf(
  { application, findings, takenAt, workers, raw }: ProfileResult,
  format: Format,
  { weight, hertz }: ProfileOptions,
): string | Buffer {
  const title = `${application}, ${new Date(takenAt).toISOString()}`
  const seconds = findings.seconds.toFixed(1)
  switch (format) {
    case 'svg': {
      const what = weight === 'cpu' ? 'processor time' : 'time, running (warm) and waiting (blue)'
      const subtitle =
        `${what}; ${seconds} s of ${workers.length} workers, ${findings.samples} samples ` +
        `at ${hertz} a second`
      return flameGraph(findings, { title, subtitle, weight })
    }
    case 'speedscope':
      return speedscope(findings, weight, title)
    case 'pprof':
      return pprof(findings, takenAt)
    case 'collapsed':
      return collapsed(findings, weight)
    case 'json':
      return `${JSON.stringify(findings)}\n`
    case 'cpuprofile': {
      if (raw.length === 1) return raw[0].profile
      throw new CtlUsageError(
        coded(
          'MONO6001',
          raw.length === 0
            ? '--format: cpuprofile is for applications in TypeScript; use svg or another one'
            : '--format: a cpuprofile is of one process; give --worker, one of ' +
                `${workers.join(', ')}`,
        ),
      )
    }
  }
}

/** The functions with most time of their own, by route. */
function profileView(result: ProfileResult, weight: Weight): string[] {
  const { findings, failed, workers } = result
  const share = (
    (findings.cost / Math.max(findings.seconds * findings.processes, 1e-9)) *
    100
  ).toFixed(1)
  const lines = [
    `${findings.seconds.toFixed(1)} s of ${workers.length - failed.length} workers, ` +
      `${findings.samples} samples; they took ${share} % of a processor in each worker`,
    ...failures(failed),
  ]
  for (const [route, number] of routesByTime(findings, weight)) {
    const rows = findings.stacks.filter((row) => row[0] === number)
    const total = sum(rows.map((row) => timeOf(row, weight)))
    const waited = weight === 'cpu' ? 0 : sum(rows.map((row) => row[2]))
    lines.push('', `${route}: ${timeLabel(total)}, of which ${timeLabel(waited)} waiting`)
    for (const [label, own] of ownTimes(findings, rows, weight).slice(0, SHOWN))
      lines.push(`  ${timeLabel(own).padStart(9)}  ${label}`)
  }
  if (findings.stacks.length === 0) lines.push('', 'The application was never seen at work.')
  return lines
}

function routesByTime({ routes, stacks }: StackFindings, weight: Weight): [string, number][] {
  const times = new Map<number, number>()
  for (const row of stacks) times.set(row[0], (times.get(row[0]) ?? 0) + timeOf(row, weight))
  return [...times]
    .filter(([, time]) => time > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([number]) => [routes[number], number])
}

/** Time in a function itself, without what it called. */
function ownTimes(
  { functions }: StackFindings,
  rows: readonly (readonly number[])[],
  weight: Weight,
): [string, number][] {
  const times = new Map<string, number>()
  for (const row of rows) {
    if (row.length <= FRAMES_AT) continue
    const label = functionLabel(functions[row[row.length - 2]])
    const line = row[row.length - 1]
    const add = (name: string, time: number) => {
      if (time > 0) times.set(name, (times.get(name) ?? 0) + time)
    }
    add(`${label}, line ${line}`, row[1])
    if (weight === 'wall') add(`${label}, line ${line}, waiting`, row[2])
  }
  return [...times].sort((a, b) => b[1] - a[1])
}

function memoryView({ workers, failed }: MemoryResult): string[] {
  const lines: string[] = failures(failed)
  for (const { pid, memory } of workers) {
    const { seconds, grown, resident } = memory
    const [before, after] = resident
    const process =
      before == null || after == null
        ? ''
        : `; its memory went from ${bytes(before)} to ${bytes(after)}`
    lines.push(`Worker ${pid}: ${signed(grown)} in ${seconds.toFixed(1)} s${process}`)
    for (const line of memory.lines) lines.push(memoryLine(line))
  }
  return lines
}

function memoryLine({ file, line, grown, objectsGrown }: MemoryLine): string {
  const objects = String(objectsGrown).padStart(8)
  return `  ${signed(grown).padStart(11)}  ${objects} objects  ${file}:${line}`
}

async function saveSnapshot(
  server: ControlTarget,
  worker: number | null,
  path: string,
): Promise<number> {
  const ask = (given: HeapRequest) =>
    callServer<HeapResult>(server, {
      method: 'POST',
      name: 'heap-snapshot',
      given,
      withinMs: SNAPSHOT_MS,
    })
  // Taking it stops the process for a while, so it is done only for one that was named.
  const pid = worker ?? (await ask({ worker })).pid
  const { size } = await ask({ worker: pid })
  const file = open(path)
  let offset = 0
  try {
    while (offset < size) {
      const part = Buffer.from((await ask({ worker: pid, offset })).part, 'base64')
      if (part.length === 0)
        throw new ControlFailure(coded('MONO6005', 'The snapshot was cut off'), EXIT.ctl.FAILED)
      writeSync(file, part)
      offset += part.length
    }
  } finally {
    closeSync(file)
    await ask({ worker: pid, done: true }).catch(() => {})
  }
  return size
}

function failures(failed: readonly Unprofiled[]): string[] {
  return failed.map(({ pid, reason }) => `Process ${pid} has nothing to show: ${reason}`)
}

function resolvePath(cwd: string, path: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path)
}

/** @throws ControlFailure */
function writeFile(path: string, content: string | Buffer): void {
  tryFile(path, () => writeFileSync(path, content))
}

function open(path: string): number {
  return tryFile(path, () => openSync(path, 'w', 0o600))
}

function tryFile<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw new ControlFailure(
      coded('MONO6009', `Cannot write ${path}: ${(error as Error).message}`),
      EXIT.ctl.FAILED,
    )
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function bytes(size: number): string {
  const kib = Math.abs(size) / 1024
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`
}

function signed(size: number): string {
  return `${size < 0 ? '-' : '+'}${bytes(size)}`
}

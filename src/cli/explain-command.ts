import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { coded } from '../messages/coded.ts'
import { type MessageTable, plainPage } from '../messages/pages.ts'
import { ownFile } from '../own-files/own-files.ts'
import { EXIT } from '../process/exit-status.ts'
import type { TextOutput } from '../process/text-output.ts'
import { quoted } from '../settings/settings-error.ts'

const USAGE = `Usage: monoceros explain CODE

Explains an error or a warning by the code at the end of its line, such as MONO1001.
`

/**
 * Runs `monoceros explain`.
 *
 * @param args after `explain`
 * @returns the exit status, one of `EXIT.server`
 */
export function runExplain(
  args: readonly string[],
  { stdout, stderr }: { readonly stdout: TextOutput; readonly stderr: TextOutput },
): number {
  if (args.includes('--help') || args.includes('-h')) {
    stdout.write(USAGE)
    return EXIT.server.STOPPED
  }
  const [asked = '', ...more] = args
  const code = asked.replace(/^\[|\]$/g, '').toUpperCase()
  const row = more.length === 0 ? readTable()[code] : undefined
  if (row === undefined) {
    stderr.write(`monoceros: ${coded('MONO1012', problemWith(asked, more))}\n`)
    return EXIT.server.USAGE
  }
  stdout.write(plainPage(code, row))
  return EXIT.server.STOPPED
}

function problemWith(asked: string, more: readonly string[]): string {
  if (asked === '' || more.length > 0) return 'explain takes one code, such as MONO1001'
  return `There is no code ${quoted(asked)}; a code is at the end of a line, such as MONO1001`
}

/** Its texts are for this command only, so they are kept compressed, beside the code. */
function readTable(): MessageTable {
  const file = ownFile('dist/messages/table.json.br')
  return JSON.parse(brotliDecompressSync(readFileSync(file)).toString())
}

/** Writes the texts of errors and warnings for `monoceros explain`, from the compiled table. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

const { TABLE } = await import('../dist/messages/table.js')
const { compactTable } = await import('../dist/messages/pages.js')
const text = Buffer.from(JSON.stringify(compactTable(TABLE)))
const options = { params: { [constants.BROTLI_PARAM_SIZE_HINT]: text.length } }
writeFileSync(
  fileURLToPath(new URL('../dist/messages/table.json.br', import.meta.url)),
  brotliCompressSync(text, options),
)

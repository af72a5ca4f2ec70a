import { createHash } from 'node:crypto'
import type { InputStream } from '../../../src/wsgi/types.ts'
import { jsonAnswer } from './environ.ts'
import { parseLiteral, repr } from './python-literal.ts'
import { bytes, plainText, readAll, register } from './registry.ts'

// PEP 3333, "Input and Error Streams": `wsgi.input`.

/** Every piece until an empty one. */
async function inPieces(read: () => Promise<Uint8Array>): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = []
  for (;;) {
    const piece = await read()
    if (piece.length === 0) return pieces
    pieces.push(piece)
  }
}

async function listOf(input: InputStream): Promise<Uint8Array[]> {
  const lines: Uint8Array[] = []
  for await (const line of input) lines.push(line)
  return lines
}

async function inOrder(...steps: (() => Promise<unknown>)[]): Promise<unknown[]> {
  const results: unknown[] = []
  for (const step of steps) results.push(await step())
  return results
}

/** What an application does with its input stream, by name. */
const readers: Readonly<Record<string, (input: InputStream) => Promise<unknown>>> = {
  'read()': (input) => input.read(),
  'read(-1)': (input) => input.read(-1),
  'read(None)': (input) => input.read(undefined),
  // Those that are not waited for each come in their order all the same.
  'read(0) read(0) read()': (input) => Promise.all([input.read(0), input.read(0), input.read()]),
  'read(3) until empty': (input) => inPieces(() => input.read(3)),
  'read(1000) read(1000) read()': (input) =>
    Promise.all([input.read(1000), input.read(1000), input.read()]),
  'readline() until empty': (input) => inPieces(() => input.readline()),
  'readline(3) until empty': (input) => inPieces(() => input.readline(3)),
  'readline(-1) readline(0)': (input) =>
    inOrder(
      () => input.readline(-1),
      () => input.readline(0),
    ),
  'readlines()': (input) => input.readlines(),
  'readlines(4)': async (input) =>
    Buffer.concat([...(await input.readlines(4)), ...(await input.readlines())]),
  'for line in input': listOf,
  'read(2) readline() readlines() read()': async (input) => [
    await input.read(2),
    await input.readline(),
    ...(await input.readlines()),
    await input.read(),
  ],
  'read() read() readline() readlines() list': (input) =>
    inOrder(
      () => input.read(),
      () => input.read(),
      () => input.readline(),
      () => input.readlines(),
      () => listOf(input),
    ),
}

/** Reads its input as `X-Reader` says and answers with what it got, as Python writes it. */
register('read_input', async (environ, startResponse) => {
  const reader = readers[environ.HTTP_X_READER ?? '']
  if (reader === undefined) throw new Error(`no reader ${environ.HTTP_X_READER}`)
  const body = bytes(repr(await reader(environ['wsgi.input'])))
  startResponse('200 OK', plainText(['Content-Length', String(body.length)]))
  return [body]
})

/** Reads everything in blocks; answers with the type of the blocks, their sum and their SHA-256. */
register('digest_input', async (environ, startResponse) => {
  const digest = createHash('sha256')
  const types = new Set<string>()
  let length = 0
  for (;;) {
    const block: unknown = await environ['wsgi.input'].read(65536)
    types.add(block instanceof Uint8Array ? 'bytes' : typeof block)
    if (!(block instanceof Uint8Array) || block.length === 0) break
    digest.update(block)
    length += block.length
  }
  return jsonAnswer(startResponse, {
    types: [...types].sort(),
    length,
    sha256: digest.digest('hex'),
  })
})

/** What an application is told of a body that came in chunks, and what it can read. */
register('chunked_input', async (environ, startResponse) =>
  jsonAnswer(startResponse, {
    CONTENT_LENGTH: environ.CONTENT_LENGTH ?? null,
    HTTP_TRANSFER_ENCODING: environ.HTTP_TRANSFER_ENCODING ?? null,
    'wsgi.input_terminated': repr(environ['wsgi.input_terminated']),
    body: Buffer.from(await environ['wsgi.input'].read()).toString('latin1'),
  }),
)

/** Never touches its input. */
register('ignore_input', (_environ, startResponse) => {
  startResponse('200 OK', plainText(['Content-Length', '7']))
  return [bytes('ignored')]
})

/** Reads two bytes of its input and leaves the rest. */
register('peek_input', async (environ, startResponse) => {
  startResponse('200 OK', plainText(['Content-Length', '2']))
  return [await environ['wsgi.input'].read(2)]
})

/** Answers with the body it was sent. */
register('echo_input', async (environ, startResponse) => {
  const body = await readAll(environ)
  startResponse('200 OK', plainText(['Content-Length', String(body.length)]))
  return [body]
})

/** The arguments that the request body holds as a Python literal. */
export async function argumentsOf(input: Promise<Uint8Array>): Promise<unknown[]> {
  return parseLiteral(Buffer.from(await input).toString('utf8')) as unknown[]
}

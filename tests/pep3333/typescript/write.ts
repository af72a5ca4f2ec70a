import { bytes, gate, note, plainText, register, tokenOf } from './registry.ts'

// PEP 3333, "The write() Callable".

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
const everyByteTimes = (times: number) => new Uint8Array(Buffer.alloc(256 * times, everyByte))

/** The whole body through write(). Nobody waits for what it promises: it is optional. */
register('writes_all', (_environ, startResponse) => {
  const write = startResponse('200 OK', plainText())
  write(bytes('one '))
  write(bytes('two'))
  return []
})

/**
 * What was written comes before what is yielded; and the array's one chunk is not the whole body.
 */
register('writes_then_yields', (_environ, startResponse) => {
  const write = startResponse('200 OK', plainText())
  write(bytes('written '))
  return [bytes('yielded')]
})

/** The same with a generator that is made after the writes. */
register('writes_then_generates', (_environ, startResponse) => {
  function* chunks(): Generator<Uint8Array> {
    yield bytes('three ')
    yield bytes('four')
  }
  const write = startResponse('200 OK', plainText())
  write(bytes('one '))
  write(bytes('two '))
  return chunks()
})

/** An empty write must neither end nor spoil the body. */
register('writes_empty', (_environ, startResponse) => {
  const write = startResponse('200 OK', plainText())
  for (const text of ['', 'a', '', 'b']) write(bytes(text))
  return [bytes(''), bytes('c')]
})

/** After each write the client has to have that part before it opens the gate. */
register('writes_in_step', async (environ, startResponse) => {
  const token = tokenOf(environ)
  const write = startResponse('200 OK', plainText())
  for (const part of ['first', 'second', 'third']) {
    await write(bytes(`${part}.`))
    await gate(token, `got-${part}`)
  }
  return []
})

/** A mebibyte in one write, and another in many small ones. */
register('writes_much', async (_environ, startResponse) => {
  const write = startResponse('200 OK', plainText())
  await write(everyByteTimes(4096))
  for (let n = 0; n < 256; n++) await write(everyByteTimes(16))
  return []
})

/** write() and a Content-Length. */
register('writes_with_length', (_environ, startResponse) => {
  const write = startResponse('200 OK', plainText(['Content-Length', '7']))
  write(bytes('abc'))
  write(bytes('defg'))
  return []
})

/** write() of more than the Content-Length allows. */
register('writes_past_length', async (environ, startResponse) => {
  const token = tokenOf(environ)
  const write = startResponse('200 OK', plainText(['Content-Length', '3']))
  try {
    await write(bytes('abc'))
    await write(bytes('def'))
  } catch (error) {
    note(token, 'raised')
    throw error
  }
  note(token, 'ignored')
  return []
})

/** write() of something that is no Uint8Array. */
register('writes_wrong_type', async (environ, startResponse) => {
  const wrong: unknown = { str: 'text', int: 5, None: null }[environ.HTTP_X_TYPE ?? '']
  const write = startResponse('200 OK', plainText())
  try {
    await write(wrong as Uint8Array)
  } catch (error) {
    note(tokenOf(environ), `raised ${(error as Error).name}`)
    throw error
  }
  return []
})

/** The application fails when part of its body is with the client. */
register('writes_and_raises', async (environ, startResponse) => {
  const token = tokenOf(environ)
  const write = startResponse('200 OK', plainText())
  await write(bytes('part'))
  await gate(token, 'seen')
  throw new Error(`raised after write ${token}`)
})

import { setTimeout as sleep } from 'node:timers/promises'
import {
  AsyncClosing,
  bytes,
  Closing,
  gate,
  note,
  plainText,
  register,
  tokenOf,
} from './registry.ts'

// PEP 3333, "Specification Details" and "Buffering and Streaming": what an application returns, and
// `close()`.

const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte)
/** One mebibyte: more than a server would send at once. */
const big = new Uint8Array(Buffer.alloc(256 * 4096, everyByte))

/**
 * An iterable of these chunks that has nothing but `Symbol.iterator`, and what is given with it.
 */
function iterable(chunks: string[], more: object = {}): Iterable<Uint8Array> {
  return Object.assign(
    Object.create(null),
    { [Symbol.iterator]: () => chunks.map(bytes).values() },
    more,
  )
}

/** An iterator of its own. */
class OnlyNext implements Iterator<Uint8Array>, Iterable<Uint8Array> {
  readonly #left = ['next', 'only ']

  next(): IteratorResult<Uint8Array> {
    const text = this.#left.pop()
    return text === undefined
      ? { done: true, value: undefined }
      : { done: false, value: bytes(text) }
  }

  [Symbol.iterator](): this {
    return this
  }
}

/** Has a length that does not work, so it says nothing. */
const unsized = {
  get length(): number {
    throw new Error('no length')
  },
  [Symbol.iterator]: () => [bytes('un'), bytes('sized')].values(),
}

/** An array whose iteration gives something else than its items. */
class StringList extends Array<Uint8Array> {
  override [Symbol.iterator](): ArrayIterator<Uint8Array> {
    return [bytes('from '), bytes('__iter__')].values()
  }
}

/** The same with one item and one chunk. */
class OneOther extends Array<Uint8Array> {
  override [Symbol.iterator](): ArrayIterator<Uint8Array> {
    return [bytes('the other')].values()
  }
}

function* generator(...chunks: string[]): Generator<Uint8Array> {
  for (const chunk of chunks) yield bytes(chunk)
}

function* slices(size: number): Generator<Uint8Array> {
  for (let start = 0; start < big.length; start += size) yield big.subarray(start, start + size)
}

const results: Readonly<Record<string, () => unknown>> = {
  OnlyIter: () => iterable(['only ', 'iter']),
  OnlyGetItem: () => ({ 0: bytes('only '), 1: bytes('getitem'), length: 2 }),
  OnlyNext: () => new OnlyNext(),
  Sized: () => iterable(['sized'], { length: 1, size: 1 }),
  Unsized: () => unsized,
  Falsy: () => iterable(['falsy but full'], { length: 0, valueOf: () => false }),
  StringList: () => StringList.of(bytes('not'), bytes('this')),
  OneOther: () => OneOther.of(bytes('not this')),
  tuple: () => Object.freeze([bytes('tu'), bytes('ple')]),
  set: () => new Set([bytes('set')]),
  dict: () => new Map([[bytes('dict'), null]]).keys(),
  map: () => [bytes('ma'), bytes('p')].values(),
  'list of one': () => [bytes('one chunk')],
  'list of many': () => [bytes('ma'), bytes(''), bytes('ny')],
  'empty list': () => [],
  'list of an empty chunk': () => [bytes('')],
  'empty generator': () => generator(),
  'generator of empty chunks': () => generator('', '', ''),
  generator: () => generator('gene', '', 'rator'),
  'line ends': () => [bytes('a\nb\r\nc\rd\n\r\n')],
  'every byte': () => [everyByte, everyByte.toReversed()],
  'big list': () => [big],
  'big tuple': () => Object.freeze([big.subarray(0, 500_000), big.subarray(500_000)]),
  'big generator': () => slices(100_000),
  None: () => null,
  int: () => 5,
  str: () => 'text',
  bytes: () => bytes('bytes'),
  'list of str': () => ['text'],
  'list of int': () => [5],
  'list of None': () => [null],
  'list of bytearray': () => [bytes('bytearray').buffer],
  'list of memoryview': () => [new DataView(bytes('memoryview').buffer)],
  'empty str first': () => ['', bytes('bytes')],
}

/** Returns the kind of object that `X-Result` names. */
register('returns', (environ, startResponse) => {
  startResponse('200 OK', plainText())
  const make = results[environ.HTTP_X_RESULT ?? '']
  if (make === undefined) throw new Error(`no result ${environ.HTTP_X_RESULT}`)
  return make()
})

/** A string where bytes must be, when the client has part of the body. */
register('str_after_bytes', (environ, startResponse) => {
  const token = tokenOf(environ)
  async function* chunks(): AsyncGenerator<unknown> {
    yield bytes('part')
    await gate(token, 'seen')
    yield 'text'
  }
  startResponse('200 OK', plainText())
  return new AsyncClosing(token, chunks())
})

/** A string where bytes must be, first of all; its iterable has a close(). */
register('str_closes', (environ, startResponse) => {
  startResponse('200 OK', plainText())
  return new Closing(tokenOf(environ), ['text'])
})

const parts = ['first', 'second', 'third']

/** After each chunk the client has to have it before it opens the gate for the next. */
register('in_step', async function* (environ, startResponse) {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  for (const part of parts) {
    yield bytes(`${part}.`)
    await gate(token, `got-${part}`)
  }
})

/** The same three parts without waiting for anybody. */
register('in_step_open', async function* (_environ, startResponse) {
  startResponse('200 OK', plainText())
  for (const part of parts) {
    yield bytes(`${part}.`)
    await sleep(10)
  }
})

/** The same with a Content-Length. */
register('in_step_with_length', async function* (environ, startResponse) {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText(['Content-Length', '19']))
  for (const part of parts) {
    yield bytes(`${part}.`)
    await gate(token, `got-${part}`)
  }
})

/** An iterable that notes every property that the server asks it for beyond iteration. */
register('guarded', (environ, startResponse) => {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  return new Proxy(iterable(['guar', 'ded']), {
    get: (target, name, receiver) => {
      if (typeof name === 'string') note(token, `asked for ${name}`)
      return Reflect.get(target, name, receiver)
    },
  })
})

/** A complete answer of two chunks with a close(). */
register('closes', (environ, startResponse) => {
  startResponse(environ.HTTP_X_STATUS ?? '200 OK', plainText())
  return new Closing(tokenOf(environ), [bytes('clo'), bytes('sed')])
})

/** An array of one chunk with a close(). */
register('closes_list', (environ, startResponse) => {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  return Object.assign([bytes('closed list')], { close: () => note(token, 'closed') })
})

/** startResponse is never called; the iterable is still to be closed. */
register('closes_without_start', (environ) => new Closing(tokenOf(environ), [bytes('no head')]))

/** Neither startResponse nor a chunk. */
register('closes_without_anything', (environ) => new Closing(tokenOf(environ), []))

/** Its iterator cannot be had, but it can be closed. */
register('closes_raising_iter', (environ, startResponse) => {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  return {
    [Symbol.iterator]: () => {
      throw new Error(`no iterator ${token}`)
    },
    close: () => note(token, 'closed'),
  }
})

/** The response is complete before close() fails. */
register('close_raises', (environ, startResponse) => {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText(['Content-Length', '5']))
  return {
    [Symbol.iterator]: () => [bytes('whole')].values(),
    close: () => {
      note(token, 'closed')
      throw new Error(`raised in close ${token}`)
    },
  }
})

/** Yields until it is told to return; a client that goes away has to end it. */
register('endless', (environ, startResponse) => {
  const token = tokenOf(environ)
  const chunk = new Uint8Array(65536).fill(0x78)
  function* chunks(): Generator<Uint8Array> {
    try {
      for (;;) yield chunk
    } finally {
      note(token, 'generator finished')
    }
  }
  startResponse('200 OK', plainText())
  const running = chunks()
  return { [Symbol.iterator]: () => running, close: () => note(token, 'closed') }
})

/**
 * Yields little and slowly until it is closed, so that the server learns late that the client has
 * gone.
 */
register('waits_for_client', (environ, startResponse) => {
  const token = tokenOf(environ)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 2000; n++) {
      yield bytes('tick')
      await sleep(5)
    }
  }
  startResponse('200 OK', plainText())
  const running = chunks()
  return { [Symbol.asyncIterator]: () => running, close: () => note(token, 'closed') }
})

/** Stays inside the application until the test has seen another request in it too. */
register('meets', async (environ, startResponse) => {
  const token = tokenOf(environ)
  note(token, 'in')
  await gate(token, 'both')
  startResponse('200 OK', plainText())
  return [bytes('met')]
})

/**
 * Stays inside the application, without waiting for anything, long enough for another request to
 * overlap if the server lets it.
 */
register('overlaps', (environ, startResponse) => {
  const token = tokenOf(environ)
  note(token, 'in')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  note(token, 'out')
  startResponse('200 OK', plainText())
  return [bytes('done')]
})

import { waitFor } from '../../support/wait-for.ts'
import { type Difference, type PepCase, type Section, threads, unlessStrict } from '../case.ts'
import { content, everyByte, framing, outcome, type Probe, readUntil, summary } from '../probe.ts'
import { inStep } from './write.ts'

const section: Section = 'Specification Details'

/** What is seen of an application that returns such an object. */
async function returned(probe: Probe, result: string): Promise<string> {
  return summary(await probe.ask('returns', { headers: [['X-Result', result]] }))
}

/** Where gunicorn finds out too late that a chunk is no bytestring. */
const sendsHead: Difference = {
  sees: '200 OK: "", broken off',
  weAre: 'conforms',
  why: 'Gunicorn sends the head before it looks at the chunk, so the client is told of a success.',
}

function returning(
  id: string,
  result: string,
  rule: string,
  expect: string,
  more: Partial<Pick<PepCase, 'level' | 'section' | 'gunicorn' | 'typescript'>> = {},
): PepCase {
  return {
    id,
    section,
    level: 'must',
    rule,
    run: (probe) => returned(probe, result),
    expect,
    ...more,
  }
}

/** Asks, reads the answer, and says how often close() was called. */
async function closing(
  probe: Probe,
  app: string,
  options: { method?: string; headers?: [string, string][] } = {},
): Promise<string> {
  const response = probe.ask(app, options)
  const seen = outcome(
    response.then((answer) =>
      options.method === 'HEAD' ? String(answer.status) : summary(answer),
    ),
  )
  return `${await seen}, ${await probe.closes()}`
}

const ends = [
  ['204 No Content', '204'],
  ['304 Not Modified', '304'],
] as const

/** Whether an application that takes its time is entered a second time meanwhile. */
async function overlap(probe: Probe): Promise<string> {
  const answers = await Promise.all([probe.ask('overlaps'), probe.ask('overlaps')])
  return `${answers.map((answer) => answer.status).join()}: ${probe.notes().join(' ')}`
}

export const iterableCases: readonly PepCase[] = [
  returning('result-list', 'list of one', 'A list of one bytestring.', '200 OK: "one chunk"'),
  returning(
    'result-list-many',
    'list of many',
    'A list of several, one of them empty.',
    '200 OK: "many"',
  ),
  returning('result-tuple', 'tuple', 'A tuple.', '200 OK: "tuple"'),
  returning('result-set', 'set', 'A set.', '200 OK: "set"'),
  returning('result-dict', 'dict', 'A dict, which iterates over its keys.', '200 OK: "dict"'),
  returning('result-map', 'map', 'An iterator of the library.', '200 OK: "map"'),
  returning(
    'result-generator',
    'generator',
    'A generator, with an empty chunk inside.',
    '200 OK: "generator"',
  ),
  returning(
    'result-only-iter',
    'OnlyIter',
    'An object with nothing but __iter__.',
    '200 OK: "only iter"',
  ),
  returning(
    'result-only-getitem',
    'OnlyGetItem',
    'An object with nothing but __getitem__, the older protocol.',
    '200 OK: "only getitem"',
    {
      level: 'should',
      typescript: {
        sees: '500',
        because: 'language',
        why:
          'An object with indices and a length is no iterable in JavaScript; Array.from() ' +
          'makes one of it.',
      },
    },
  ),
  returning(
    'result-iterator',
    'OnlyNext',
    'An iterator of the application\u2019s own.',
    '200 OK: "only next"',
  ),
  returning('result-sized', 'Sized', 'An iterable whose len() is 1.', '200 OK: "sized"'),
  returning(
    'result-len-raises',
    'Unsized',
    'An iterable whose len() fails says nothing by that.',
    '200 OK: "unsized"',
  ),
  returning(
    'result-falsy',
    'Falsy',
    'An iterable that is false is iterated all the same.',
    '200 OK: "falsy but full"',
  ),
  returning(
    'result-list-subclass',
    'StringList',
    'A subclass of list is iterated by its own __iter__.',
    '200 OK: "from __iter__"',
  ),
  returning(
    'result-list-subclass-one',
    'OneOther',
    'Also when both are one, so that a length can be told.',
    '200 OK: "the other"',
  ),
  returning(
    'result-empty-list',
    'empty list',
    'No chunk at all: the head goes out at the end.',
    '200 OK: ""',
  ),
  returning('result-empty-chunk', 'list of an empty chunk', 'One empty chunk.', '200 OK: ""'),
  returning(
    'result-empty-generator',
    'empty generator',
    'A generator that yields nothing.',
    '200 OK: ""',
  ),
  returning('result-empty-chunks', 'generator of empty chunks', 'Only empty chunks.', '200 OK: ""'),
  returning(
    'result-line-ends',
    'line ends',
    'Line ends in the body are not altered.',
    `200 OK: ${JSON.stringify('a\nb\r\nc\rd\n\r\n')}`,
    { level: 'should' },
  ),
  {
    id: 'result-every-byte',
    section,
    level: 'should',
    rule: 'Chunks are binary: each of the 256 values arrives unchanged.',
    run: async (probe) => {
      const response = await probe.ask('returns', { headers: [['X-Result', 'every byte']] })
      return response.body.equals(Buffer.concat([everyByte(1), everyByte(1).reverse()]))
        ? 'equal'
        : content(response)
    },
    expect: 'equal',
  },
  ...(['list', 'tuple', 'generator'] as const).map(
    (kind): PepCase => ({
      id: `result-big-${kind}`,
      section,
      level: 'must',
      rule: `A mebibyte in a ${kind} arrives whole.`,
      run: async (probe) => {
        const response = await probe.ask('returns', { headers: [['X-Result', `big ${kind}`]] })
        return response.body.equals(everyByte(4096)) ? 'equal' : content(response)
      },
      expect: 'equal',
    }),
  ),
  returning('result-none', 'None', 'None is no iterable.', '500'),
  returning('result-int', 'int', 'A number is no iterable.', '500'),
  returning('result-str', 'str', 'A str gives strs.', '500', {
    section: 'Unicode Issues',
    gunicorn: sendsHead,
  }),
  ...unlessStrict(
    returning('result-bytes', 'bytes', 'A bytes gives numbers.', '500', {
      section: 'Unicode Issues',
      gunicorn: sendsHead,
    }),
    {
      rule: 'Without strict its bytes are sent, and the log says so.',
      expect: '200 OK: "bytes"',
      gunicorn: sendsHead,
      typescript: {
        sees: '500',
        because: 'choice',
        why: 'No server takes it there, and no middleware.',
      },
    },
  ),
  returning(
    'chunk-str',
    'list of str',
    'A chunk is bytes, not str: nothing of a 200 is sent.',
    '500',
    {
      section: 'Unicode Issues',
      gunicorn: sendsHead,
    },
  ),
  returning('chunk-empty-str', 'empty str first', 'Not even an empty str.', '500', {
    section: 'Unicode Issues',
    gunicorn: sendsHead,
  }),
  returning('chunk-int', 'list of int', 'A chunk is not a number.', '500', {
    section: 'Unicode Issues',
    gunicorn: sendsHead,
  }),
  returning('chunk-none', 'list of None', 'A chunk is not None.', '500', {
    section: 'Unicode Issues',
    gunicorn: sendsHead,
  }),
  ...unlessStrict(
    returning('chunk-bytearray', 'list of bytearray', 'A chunk is bytes, not a bytearray.', '500', {
      section: 'Unicode Issues',
      gunicorn: sendsHead,
    }),
    {
      rule: 'Without strict its bytes are sent, and the log says so.',
      expect: '200 OK: "bytearray"',
      gunicorn: sendsHead,
    },
  ),
  ...unlessStrict(
    returning(
      'chunk-memoryview',
      'list of memoryview',
      'A chunk is bytes, not a memoryview.',
      '500',
      {
        section: 'Unicode Issues',
        gunicorn: sendsHead,
      },
    ),
    {
      rule: 'Without strict its bytes are sent, and the log says so.',
      expect: '200 OK: "memoryview"',
      gunicorn: sendsHead,
    },
  ),
  {
    id: 'chunk-str-later',
    section: 'Unicode Issues',
    level: 'must',
    rule: 'A str after the first chunk breaks the response off; the iterable is closed.',
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.send(probe.request('str_after_bytes'))
      const response = await connection.readResponse('GET', { bodyless: true })
      await readUntil(connection, 'part')
      probe.open('seen')
      const { rest } = await connection.readToEnd()
      connection.close()
      const more = rest.toString('latin1').includes('text') ? ', the str sent' : ''
      const ended = rest.toString('latin1').includes('0\r\n\r\n')
        ? 'ended as if complete'
        : 'broken off'
      return `${response.status}, ${ended}${more}, ${await probe.closes()}`
    },
    expect: '200, broken off, closed once',
  },
  {
    id: 'iterable-not-inspected',
    section,
    level: 'must',
    rule: 'Beyond iterating, len() and close() the server uses no attribute of the iterable.',
    run: async (probe) => {
      const response = await probe.ask('guarded')
      await probe.settled()
      const asked = [...new Set(probe.notes())].filter(
        (note) => !/^asked for (close|__\w+__)$/.test(note),
      )
      return `${summary(response)}, ${asked.join(', ') || 'asked for nothing else'}`
    },
    expect: '200 OK: "guarded", asked for nothing else',
    typescript: {
      sees: '200 OK: "guarded", asked for then',
      because: 'language',
      why: 'Whether the result is a promise of an iterable shows in its method `then`.',
    },
  },
  {
    id: 'transmit-before-next',
    section: 'Buffering and Streaming',
    level: 'must',
    rule: 'Each chunk is transmitted before the next one is asked for.',
    run: (probe) => inStep(probe, 'in_step'),
    expect: '200, each part before the next',
  },
  {
    id: 'transmit-before-next-length',
    section: 'Buffering and Streaming',
    level: 'must',
    rule: 'The same with a Content-Length.',
    run: (probe) => inStep(probe, 'in_step_with_length'),
    expect: '200, each part before the next',
  },
  {
    id: 'transmit-before-next-threads',
    section: 'Buffering and Streaming',
    level: 'must',
    rule: 'The same with several threads.',
    on: threads,
    run: (probe) => inStep(probe, 'in_step'),
    expect: '200, each part before the next',
  },
  {
    id: 'close-complete',
    section,
    level: 'must',
    rule: 'close() is called once when the response is complete.',
    run: (probe) => closing(probe, 'closes'),
    expect: '200 OK: "closed", closed once',
  },
  {
    id: 'close-list-subclass',
    section,
    level: 'must',
    rule: 'Also of a list that has one.',
    run: (probe) => closing(probe, 'closes_list'),
    expect: '200 OK: "closed list", closed once',
  },
  {
    id: 'close-head',
    section,
    level: 'must',
    rule: 'Also in answer to HEAD.',
    run: (probe) => closing(probe, 'closes', { method: 'HEAD' }),
    expect: '200, closed once',
  },
  ...ends.map(
    ([status, code]): PepCase => ({
      id: `close-${code}`,
      section,
      level: 'must',
      rule: `Also when the status (${code}) has no body.`,
      run: async (probe) => {
        const response = await probe.ask('closes', { headers: [['X-Status', status]] })
        return `${response.status}, ${await probe.closes()}`
      },
      expect: `${code}, closed once`,
    }),
  ),
  {
    id: 'close-without-start',
    section,
    level: 'must',
    rule: 'Also when start_response was never called.',
    run: (probe) => closing(probe, 'closes_without_start'),
    expect: '500, closed once',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None", closed once',
      weAre: 'conforms',
      why: 'As above: a head with None for a status.',
    },
  },
  {
    id: 'close-without-anything',
    section,
    level: 'must',
    rule: 'Also when there was neither a head nor a chunk.',
    run: (probe) => closing(probe, 'closes_without_anything'),
    expect: '500, closed once',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None", closed once',
      weAre: 'conforms',
      why: 'As above.',
    },
  },
  {
    id: 'close-str-chunk',
    section,
    level: 'must',
    rule: 'Also when the first chunk is refused.',
    run: (probe) => closing(probe, 'str_closes'),
    expect: '500, closed once',
    gunicorn: {
      sees: '200 OK: "", broken off, closed once',
      weAre: 'conforms',
      why: 'Gunicorn sends the head before it looks at the chunk.',
    },
  },
  {
    id: 'close-iter-raises',
    section,
    level: 'must',
    rule: 'Also when the result cannot even be iterated.',
    run: (probe) => closing(probe, 'closes_raising_iter'),
    expect: '500, closed once',
  },
  {
    id: 'close-raises',
    section,
    level: 'must',
    rule:
      'An error in close() is logged and does not hurt a response that is complete, nor the ' +
      'next request.',
    run: async (probe) => {
      const response = await probe.ask('close_raises')
      const logged = await probe.logged(`raised in close ${probe.token}`)
      const next = await probe.ask('counted')
      return `${summary(response)}, ${await probe.closes()}, ${logged}, then ${summary(next)}`
    },
    expect: '200 OK: "whole", closed once, logged, then 200 OK: "counted"',
  },
  {
    id: 'close-client-gone',
    section,
    level: 'must',
    rule:
      'When the client goes away in the middle of a long response, iteration stops and ' +
      'close() is called once.',
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.send(probe.request('endless'))
      await connection.readSome()
      connection.reset()
      await probe.noted('generator finished')
      return probe.closes()
    },
    expect: 'closed once',
  },
  {
    id: 'close-client-gone-quietly',
    section,
    level: 'must',
    rule: 'The same when little is sent and the server learns of it late.',
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.send(probe.request('waits_for_client'))
      await connection.readSome()
      connection.reset()
      await probe.noted('closed')
      return probe.closes()
    },
    expect: 'closed once',
  },
  {
    id: 'single-threaded',
    section: 'Thread Support',
    level: 'should',
    rule:
      'An application that is not thread-safe can be run by one thread: two requests at once ' +
      'do not overlap.',
    run: overlap,
    expect: '200,200: in out in out',
  },
  {
    id: 'several-threads',
    section: 'Thread Support',
    level: 'may',
    rule: 'With several threads they run side by side.',
    on: threads,
    run: async (probe) => {
      const asked = [probe.ask('meets'), probe.ask('meets')]
      await waitFor('both requests to be in the application', () => probe.notes().length === 2)
      probe.open('both')
      return (await Promise.all(asked)).map(summary).join(', ')
    },
    expect: '200 OK: "met", 200 OK: "met"',
    embedded: {
      run: overlap,
      sees: '200,200: in out in out',
      because: 'threads',
      why:
        'The one thread of a worker runs one request after another; `--workers` runs several ' +
        'side by side.',
    },
  },
  {
    id: 'framing-one-chunk',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'Of a one-item list the server can tell the Content-Length.',
    run: async (probe) =>
      framing(await probe.ask('returns', { headers: [['X-Result', 'list of one']] })),
    expect: 'Content-Length 9',
    gunicorn: {
      sees: 'chunked',
      weAre: 'choice',
      why: 'A length lets clients show progress and reuse the connection without chunk framing.',
    },
  },
  {
    id: 'framing-one-chunk-1.0',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'The same for HTTP/1.0.',
    run: async (probe) =>
      framing(
        await probe.ask('returns', { version: '1.0', headers: [['X-Result', 'list of one']] }),
      ),
    expect: 'Content-Length 9',
    gunicorn: {
      sees: 'until the connection closes',
      weAre: 'choice',
      why: 'Without a length an HTTP/1.0 client cannot tell a whole body from half of one.',
    },
  },
  {
    id: 'framing-sized',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'The same for any iterable whose len() is 1.',
    run: async (probe) => framing(await probe.ask('returns', { headers: [['X-Result', 'Sized']] })),
    expect: 'Content-Length 5',
    gunicorn: { sees: 'chunked', weAre: 'choice', why: 'As for a list.' },
    typescript: {
      sees: 'chunked',
      because: 'language',
      why: 'Iterables have no common length in JavaScript; of an array the Content-Length is told.',
    },
  },
  {
    id: 'framing-generator',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'A body of unknown length is chunked for an HTTP/1.1 client.',
    run: async (probe) => {
      const response = await probe.ask('in_step_open', {})
      return framing(response)
    },
    expect: 'chunked',
  },
  {
    id: 'framing-generator-1.0',
    section: 'Handling the Content-Length Header',
    level: 'must',
    rule:
      'For an HTTP/1.0 client it ends with the connection: no chunks for one who does not ' +
      'know them.',
    run: async (probe) => {
      const response = await probe.ask('in_step_open', { version: '1.0' })
      return `${framing(response)}, ${content(response)}`
    },
    expect: 'until the connection closes, "first.second.third."',
  },
]

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
  why:
    'Gunicorn sends the head before it checks the chunk, so the client sees a ' +
    'successful status.',
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
  returning(
    'result-list',
    'list of one',
    'The result can be a list of one bytestring.',
    '200 OK: "one chunk"',
  ),
  returning(
    'result-list-many',
    'list of many',
    'The result can be a list of several bytestrings, one of them empty.',
    '200 OK: "many"',
  ),
  returning('result-tuple', 'tuple', 'The result can be a tuple.', '200 OK: "tuple"'),
  returning('result-set', 'set', 'The result can be a set.', '200 OK: "set"'),
  returning(
    'result-dict',
    'dict',
    'The result can be a dict, whose iteration yields its keys.',
    '200 OK: "dict"',
  ),
  returning(
    'result-map',
    'map',
    'The result can be a built-in iterator, such as map().',
    '200 OK: "map"',
  ),
  returning(
    'result-generator',
    'generator',
    'The result can be a generator, even with an empty chunk in between.',
    '200 OK: "generator"',
  ),
  returning(
    'result-only-iter',
    'OnlyIter',
    'The result can be an object with only __iter__.',
    '200 OK: "only iter"',
  ),
  returning(
    'result-only-getitem',
    'OnlyGetItem',
    'The result can be an object with only __getitem__, the older iteration protocol.',
    '200 OK: "only getitem"',
    {
      level: 'should',
      typescript: {
        sees: '500',
        because: 'language',
        why:
          'In JavaScript, an object with indices and a length is not iterable; Array.from() ' +
          'converts it.',
      },
    },
  ),
  returning(
    'result-iterator',
    'OnlyNext',
    'The result can be an iterator defined by the application.',
    '200 OK: "only next"',
  ),
  returning(
    'result-sized',
    'Sized',
    'The result can be an iterable whose len() is 1.',
    '200 OK: "sized"',
  ),
  returning(
    'result-len-raises',
    'Unsized',
    'If len() of the iterable raises an error, the server ignores it.',
    '200 OK: "unsized"',
  ),
  returning(
    'result-falsy',
    'Falsy',
    'An iterable whose truth value is false is iterated like any other.',
    '200 OK: "falsy but full"',
  ),
  returning(
    'result-list-subclass',
    'StringList',
    'A subclass of list is iterated with its own __iter__.',
    '200 OK: "from __iter__"',
  ),
  returning(
    'result-list-subclass-one',
    'OneOther',
    'The subclass\u2019s __iter__ also counts if it yields one chunk and the list has ' +
      'one item.',
    '200 OK: "the other"',
  ),
  returning(
    'result-empty-list',
    'empty list',
    'If there are no chunks, the head is sent at the end.',
    '200 OK: ""',
  ),
  returning(
    'result-empty-chunk',
    'list of an empty chunk',
    'The body can be one empty chunk.',
    '200 OK: ""',
  ),
  returning(
    'result-empty-generator',
    'empty generator',
    'The result can be a generator that yields nothing.',
    '200 OK: ""',
  ),
  returning(
    'result-empty-chunks',
    'generator of empty chunks',
    'The body can consist of empty chunks only.',
    '200 OK: ""',
  ),
  returning(
    'result-line-ends',
    'line ends',
    'Line ends in the body are not changed.',
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
      rule: `1 MiB in a ${kind} arrives complete.`,
      run: async (probe) => {
        const response = await probe.ask('returns', { headers: [['X-Result', `big ${kind}`]] })
        return response.body.equals(everyByte(4096)) ? 'equal' : content(response)
      },
      expect: 'equal',
    }),
  ),
  returning('result-none', 'None', 'None is not an iterable.', '500'),
  returning('result-int', 'int', 'A number is not an iterable.', '500'),
  returning(
    'result-str',
    'str',
    'The result must not be a str: its items are strs, not bytes.',
    '500',
    {
      section: 'Unicode Issues',
      gunicorn: sendsHead,
    },
  ),
  ...unlessStrict(
    returning(
      'result-bytes',
      'bytes',
      'The result must not be bytes: its items are numbers.',
      '500',
      {
        section: 'Unicode Issues',
        gunicorn: sendsHead,
      },
    ),
    {
      rule: 'Without strict, its bytes are sent and a warning is logged.',
      expect: '200 OK: "bytes"',
      gunicorn: sendsHead,
      typescript: {
        sees: '500',
        because: 'choice',
        why: 'No TypeScript server or middleware accepts this.',
      },
    },
  ),
  returning(
    'chunk-str',
    'list of str',
    'A chunk is bytes, not str; nothing of the 200 response is sent.',
    '500',
    {
      section: 'Unicode Issues',
      gunicorn: sendsHead,
    },
  ),
  returning('chunk-empty-str', 'empty str first', 'A chunk is not an empty str either.', '500', {
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
      rule: 'Without strict, its bytes are sent and a warning is logged.',
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
      rule: 'Without strict, its bytes are sent and a warning is logged.',
      expect: '200 OK: "memoryview"',
      gunicorn: sendsHead,
    },
  ),
  {
    id: 'chunk-str-later',
    section: 'Unicode Issues',
    level: 'must',
    rule: 'If a later chunk is a str, the response is aborted and the iterable closed.',
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
    rule:
      'Apart from iteration, len() and close(), the server uses no attribute of the ' + 'iterable.',
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
      why: 'The server reads `then` to find out whether the result is a promise.',
    },
  },
  {
    id: 'transmit-before-next',
    section: 'Buffering and Streaming',
    level: 'must',
    rule: 'Each chunk is transmitted before the next one is requested from the iterable.',
    run: (probe) => inStep(probe, 'in_step'),
    expect: '200, each part before the next',
  },
  {
    id: 'transmit-before-next-length',
    section: 'Buffering and Streaming',
    level: 'must',
    rule: 'Each chunk is transmitted before the next one also if there is a Content-Length.',
    run: (probe) => inStep(probe, 'in_step_with_length'),
    expect: '200, each part before the next',
  },
  {
    id: 'transmit-before-next-threads',
    section: 'Buffering and Streaming',
    level: 'must',
    rule: 'Each chunk is transmitted before the next one also with several threads.',
    on: threads,
    run: (probe) => inStep(probe, 'in_step'),
    expect: '200, each part before the next',
  },
  {
    id: 'close-complete',
    section,
    level: 'must',
    rule: 'close() is called once, after the response is complete.',
    run: (probe) => closing(probe, 'closes'),
    expect: '200 OK: "closed", closed once',
  },
  {
    id: 'close-list-subclass',
    section,
    level: 'must',
    rule: 'close() is called once if the iterable is a subclass of list.',
    run: (probe) => closing(probe, 'closes_list'),
    expect: '200 OK: "closed list", closed once',
  },
  {
    id: 'close-head',
    section,
    level: 'must',
    rule: 'close() is called once in response to HEAD.',
    run: (probe) => closing(probe, 'closes', { method: 'HEAD' }),
    expect: '200, closed once',
  },
  ...ends.map(
    ([status, code]): PepCase => ({
      id: `close-${code}`,
      section,
      level: 'must',
      rule: `close() is called once if the status (${code}) allows no body.`,
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
    rule: 'close() is called once if start_response was never called.',
    run: (probe) => closing(probe, 'closes_without_start'),
    expect: '500, closed once',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None", closed once',
      weAre: 'conforms',
      why: 'Gunicorn sends a head with None as its status.',
    },
  },
  {
    id: 'close-without-anything',
    section,
    level: 'must',
    rule: 'close() is called once if there was neither a head nor a chunk.',
    run: (probe) => closing(probe, 'closes_without_anything'),
    expect: '500, closed once',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None", closed once',
      weAre: 'conforms',
      why: 'Gunicorn sends a head with None as its status.',
    },
  },
  {
    id: 'close-str-chunk',
    section,
    level: 'must',
    rule: 'close() is called once if the first chunk is rejected.',
    run: (probe) => closing(probe, 'str_closes'),
    expect: '500, closed once',
    gunicorn: {
      sees: '200 OK: "", broken off, closed once',
      weAre: 'conforms',
      why: 'Gunicorn sends the head before it checks the chunk.',
    },
  },
  {
    id: 'close-iter-raises',
    section,
    level: 'must',
    rule: 'close() is called once if __iter__ of the result raises an error.',
    run: (probe) => closing(probe, 'closes_raising_iter'),
    expect: '500, closed once',
  },
  {
    id: 'close-raises',
    section,
    level: 'must',
    rule:
      'An error in close() is logged; it affects neither the completed response nor the ' +
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
      'If the client disconnects during a long response, iteration stops and close() is ' +
      'called once.',
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
    rule:
      'The same applies if little is sent, so that the server detects the disconnect ' + 'late.',
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
      'With one thread, an application that is not thread-safe is safe: simultaneous ' +
      'requests do not overlap.',
    run: overlap,
    expect: '200,200: in out in out',
  },
  {
    id: 'several-threads',
    section: 'Thread Support',
    level: 'may',
    rule: 'With several threads, simultaneous requests run in parallel.',
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
        'A worker has one thread and runs one request after another; use `--workers` to run ' +
        'several in parallel.',
    },
  },
  {
    id: 'framing-one-chunk',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'For a one-item list, the server can add the Content-Length.',
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
    rule: 'For a one-item list, the server can add the Content-Length in HTTP/1.0 too.',
    run: async (probe) =>
      framing(
        await probe.ask('returns', { version: '1.0', headers: [['X-Result', 'list of one']] }),
      ),
    expect: 'Content-Length 9',
    gunicorn: {
      sees: 'until the connection closes',
      weAre: 'choice',
      why:
        'Without a length, an HTTP/1.0 client cannot distinguish a complete body from a ' +
        'truncated one.',
    },
  },
  {
    id: 'framing-sized',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'For any iterable whose len() is 1, the server can add the Content-Length.',
    run: async (probe) => framing(await probe.ask('returns', { headers: [['X-Result', 'Sized']] })),
    expect: 'Content-Length 5',
    gunicorn: {
      sees: 'chunked',
      weAre: 'choice',
      why:
        'A length lets clients show progress and reuse the connection without chunk ' + 'framing.',
    },
    typescript: {
      sees: 'chunked',
      because: 'language',
      why:
        'JavaScript iterables have no standard length; for an array, the Content-Length is ' +
        'added.',
    },
  },
  {
    id: 'framing-generator',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'For an HTTP/1.1 client, a body of unknown length is sent with chunked coding.',
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
      'For an HTTP/1.0 client, which does not understand chunked coding, a body of ' +
      'unknown length ends when the connection closes.',
    run: async (probe) => {
      const response = await probe.ask('in_step_open', { version: '1.0' })
      return `${framing(response)}, ${content(response)}`
    },
    expect: 'until the connection closes, "first.second.third."',
  },
]

import { type PepCase, type Section, threads } from '../case.ts'
import { content, framing, type Probe, summary } from '../probe.ts'

const section: Section = 'Handling the Content-Length Header'

interface Body {
  chunks: string
  length?: string
  status?: string
  method?: string
  as?: 'list'
}

function headersFor({ chunks, length, status, as }: Body): [string, string][] {
  const headers: [string, string][] = [['X-Chunks', chunks]]
  if (length !== undefined) headers.push(['X-Length', length])
  if (status !== undefined) headers.push(['X-Status', status])
  if (as !== undefined) headers.push(['X-As', as])
  return headers
}

/** The answer to such a body, and whether the connection can be used again. */
async function answer(probe: Probe, body: Body): Promise<string> {
  const connection = await probe.connect()
  const { method = 'GET' } = body
  const first = await connection.request(
    probe.request('with_length', { method, headers: headersFor(body) }),
    method,
  )
  const seen = method === 'HEAD' ? `${first.status}` : summary(first)
  return `${seen}, ${await next(probe, connection)}`
}

async function next(
  probe: Probe,
  connection: Awaited<ReturnType<Probe['connect']>>,
): Promise<string> {
  await connection.send(probe.request('counted'))
  try {
    return `then ${summary(await connection.readResponse())}`
  } catch (error) {
    if (error instanceof Error && /the connection ended/.test(error.message)) return 'then closed'
    throw error
  }
}

export const bodyLengthCases: readonly PepCase[] = [
  {
    id: 'length-given',
    section,
    level: 'must',
    rule:
      'A Content-Length set by the application is sent, in whatever case the name is ' + 'written.',
    on: threads,
    run: async (probe) => {
      const response = await probe.ask('with_length', {
        headers: headersFor({ chunks: 'ab|c', length: '3' }),
      })
      return `${content(response)}, ${framing(response)}`
    },
    expect: '"abc", Content-Length 3',
  },
  {
    id: 'length-zero',
    section,
    level: 'must',
    rule: 'Content-Length: 0 with an empty body is a complete response.',
    on: threads,
    run: (probe) => answer(probe, { chunks: '', length: '0' }),
    expect: '200 OK: "", then 200 OK: "counted"',
  },
  {
    id: 'length-too-long-chunk',
    section,
    level: 'should',
    rule:
      'A chunk that exceeds the Content-Length is truncated, and the next response on the ' +
      'connection is intact.',
    on: threads,
    run: (probe) => answer(probe, { chunks: 'abcdef', length: '3' }),
    expect: '200 OK: "abc", then 200 OK: "counted"',
  },
  {
    id: 'length-too-long-list',
    section,
    level: 'should',
    rule: 'A list that exceeds the Content-Length is truncated too.',
    on: threads,
    run: (probe) => answer(probe, { chunks: 'ab|cdef|gh', length: '3', as: 'list' }),
    expect: '200 OK: "abc", then 200 OK: "counted"',
  },
  {
    id: 'length-zero-too-long',
    section,
    level: 'should',
    rule: 'With Content-Length: 0, nothing of the body is sent.',
    on: threads,
    run: (probe) => answer(probe, { chunks: 'abc', length: '0' }),
    expect: '200 OK: "", then 200 OK: "counted"',
  },
  {
    id: 'length-stops-iterating',
    section,
    level: 'should',
    rule:
      'If the body exceeds the Content-Length, the server stops iterating and calls ' +
      'close(); an iterable of the declared length is exhausted.',
    run: async (probe) => {
      const response = await probe.ask('with_length', {
        headers: headersFor({ chunks: 'ab|cd|ef|gh|ij', length: '4' }),
      })
      const closed = await probe.closes()
      const asked = probe.notes().filter((note) => note === 'asked').length
      return `${content(response)}, asked for ${asked} of 5 chunks, ${closed}`
    },
    expect: '"abcd", asked for 3 of 5 chunks, closed once',
    gunicorn: {
      sees: '"abcd", asked for 5 of 5 chunks, closed once',
      weAre: 'conforms',
      why: 'Gunicorn continues to iterate and discards the chunks.',
    },
  },
  {
    id: 'length-too-short',
    section,
    level: 'should',
    rule: 'If the body is shorter than its Content-Length, the connection is closed.',
    on: threads,
    run: (probe) => answer(probe, { chunks: 'ab|c', length: '10' }),
    expect: '200 OK: "abc", broken off, then closed',
  },
  {
    id: 'length-too-short-logged',
    section,
    level: 'should',
    rule: 'A body shorter than its Content-Length is logged as an error in the application.',
    run: async (probe) => {
      const from = probe.server.log().length
      await probe.ask('with_length', { headers: headersFor({ chunks: 'ab|c', length: '10' }) })
      await probe.settled()
      const logged = await probe.server
        .waitForLog(/Content-Length/i, { from, timeout: 2_000 })
        .catch(() => undefined)
      return logged ? 'logged' : 'not logged'
    },
    expect: 'logged',
    gunicorn: {
      sees: 'not logged',
      weAre: 'conforms',
      why: 'Gunicorn closes the connection without logging anything.',
    },
  },
  {
    id: 'length-nothing-of-it',
    section,
    level: 'should',
    rule: 'If there is no body at all, the connection is closed too.',
    on: threads,
    run: (probe) => answer(probe, { chunks: '', length: '10' }),
    expect: '200 OK: "", broken off, then closed',
  },
  {
    id: 'head-no-body',
    section: 'Other HTTP Features',
    level: 'must',
    rule: 'The response to HEAD has no body, whatever the application yields.',
    on: threads,
    run: (probe) => answer(probe, { chunks: 'ab|c', method: 'HEAD' }),
    expect: '200, then 200 OK: "counted"',
  },
  {
    id: 'head-length-kept',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'A Content-Length that the application sets in response to HEAD is kept, with or ' +
      'without a body.',
    run: async (probe) => {
      const full = await probe.ask('with_length', {
        method: 'HEAD',
        headers: headersFor({ chunks: 'ab|c', length: '3' }),
      })
      const empty = await probe.ask('with_length', {
        method: 'HEAD',
        headers: headersFor({ chunks: '', length: '3' }),
      })
      return [full, empty]
        .map((response) => `${response.status} ${response.header('Content-Length')}`)
        .join(', ')
    },
    expect: '200 3, 200 3',
  },
  {
    id: 'head-length-not-invented',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'If the body is empty in response to HEAD, the server does not add Content-Length: ' +
      '0 (RFC 9110 §8.6).',
    run: async (probe) => {
      const response = await probe.ask('returns', {
        method: 'HEAD',
        headers: [['X-Result', 'empty list']],
      })
      return `${response.status}, Content-Length ${response.header('Content-Length') ?? 'absent'}`
    },
    expect: '200, Content-Length absent',
  },
  {
    id: 'head-length-of-one-chunk',
    section: 'Other HTTP Features',
    level: 'may',
    rule:
      'For a one-item list, the response to HEAD has the same Content-Length as the ' +
      'response to GET (RFC 9110 §9.3.2).',
    run: async (probe) => {
      const headers: [string, string][] = [['X-Result', 'list of one']]
      const response = await probe.ask('returns', { method: 'HEAD', headers })
      return `${response.status}, Content-Length ${response.header('Content-Length') ?? 'absent'}`
    },
    expect: '200, Content-Length 9',
    gunicorn: {
      sees: '200, Content-Length absent',
      weAre: 'choice',
      why: 'Gunicorn does not send one in response to GET either.',
    },
  },
  ...(['204 No Content', '304 Not Modified'] as const).map(
    (status): PepCase => ({
      id: `no-body-${status.slice(0, 3)}`,
      section: 'Other HTTP Features',
      level: 'must',
      rule:
        `A ${status.slice(0, 3)} response has no body, whatever the application yields, and the ` +
        'next response on the connection is intact.',
      on: threads,
      run: (probe) => answer(probe, { chunks: 'ab|c', status }),
      expect: `${status}: "", then 200 OK: "counted"`,
    }),
  ),
  {
    id: 'no-length-204',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'A 204 response has neither Content-Length nor Transfer-Encoding (RFC 9110 §8.6, ' +
      'RFC 9112 §6.1).',
    run: async (probe) => {
      const given = await probe.ask('with_length', {
        headers: headersFor({ chunks: '', length: '0', status: '204 No Content' }),
      })
      const none = await probe.ask('ends', { headers: [['X-Status', '204 No Content']] })
      const names = [given, none].flatMap((response) =>
        response.headers
          .map(([name]) => name)
          .filter((name) => /^(content-length|transfer-encoding)$/i.test(name)),
      )
      return names.join(', ') || 'neither'
    },
    expect: 'neither',
  },
  {
    id: 'length-304-kept',
    section: 'Other HTTP Features',
    level: 'may',
    rule:
      'A 304 response keeps the application\u2019s Content-Length, which describes the ' +
      '200 response.',
    run: async (probe) => {
      const response = await probe.ask('with_length', {
        headers: headersFor({ chunks: '', length: '1234', status: '304 Not Modified' }),
      })
      return `${response.status} ${response.header('Content-Length')}`
    },
    expect: '304 1234',
  },
]

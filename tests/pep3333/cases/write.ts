import { type PepCase, type Section, threads } from '../case.ts'
import { content, everyByte, framing, type Probe, readUntil, summary } from '../probe.ts'

const section: Section = 'The write() Callable'

/**
 * Lets an application that sends three parts go on only when the client has the part before: each
 * gate is opened when the part has been read from the socket. A server that holds a part back never
 * gets past it.
 */
export async function inStep(probe: Probe, app: string): Promise<string> {
  const connection = await probe.connect()
  await connection.send(probe.request(app))
  const response = await connection.readResponse('GET', { bodyless: true })
  for (const part of ['first', 'second', 'third']) {
    await readUntil(connection, `${part}.`)
    probe.open(`got-${part}`)
  }
  return `${response.status}, each part before the next`
}

export const writeCases: readonly PepCase[] = [
  {
    id: 'write-all',
    section,
    level: 'must',
    rule: 'The written bytes are the body; the returned iterable may be empty.',
    run: async (probe) => summary(await probe.ask('writes_all')),
    expect: '200 OK: "one two"',
  },
  {
    id: 'write-then-list',
    section,
    level: 'must',
    rule:
      'Yielded chunks follow the written bytes; after write(), the server must not infer ' +
      'a Content-Length from a one-item list.',
    run: async (probe) => summary(await probe.ask('writes_then_yields')),
    expect: '200 OK: "written yielded"',
  },
  {
    id: 'write-then-generator',
    section,
    level: 'must',
    rule: 'Chunks yielded by a generator follow the written bytes too.',
    run: async (probe) => summary(await probe.ask('writes_then_generates')),
    expect: '200 OK: "one two three four"',
  },
  {
    id: 'write-empty',
    section,
    level: 'must',
    rule: 'Writing an empty bytestring does not end or corrupt the body.',
    run: async (probe) => summary(await probe.ask('writes_empty')),
    expect: '200 OK: "abc"',
  },
  {
    id: 'write-much',
    section,
    level: 'must',
    rule: '2 MiB arrive complete, whether in one write() or in many.',
    run: async (probe) => {
      const response = await probe.ask('writes_much')
      return response.body.equals(everyByte(2 * 4096)) ? 'equal' : content(response)
    },
    expect: 'equal',
  },
  {
    id: 'write-transmits',
    section,
    level: 'must',
    rule: 'write() has transmitted its bytes before it returns.',
    run: (probe) => inStep(probe, 'writes_in_step'),
    expect: '200, each part before the next',
  },
  {
    id: 'write-1.0',
    section,
    level: 'must',
    rule: 'write() works for an HTTP/1.0 client, which does not understand chunked coding.',
    run: async (probe) => {
      const response = await probe.ask('writes_all', { version: '1.0' })
      return `${content(response)}, ${framing(response)}`
    },
    expect: '"one two", until the connection closes',
  },
  {
    id: 'write-with-length',
    section,
    level: 'must',
    rule: 'Written bytes count towards the Content-Length.',
    on: threads,
    run: async (probe) => {
      const response = await probe.ask('writes_with_length')
      return `${content(response)}, ${framing(response)}`
    },
    expect: '"abcdefg", Content-Length 7',
  },
  {
    id: 'write-past-length',
    section: 'Handling the Content-Length Header',
    level: 'should',
    rule: 'write() beyond the Content-Length raises an error, and the excess is not sent.',
    run: async (probe) => {
      const response = await probe.ask('writes_past_length')
      await probe.settled()
      return `${content(response)}, ${probe.notes().join()}`
    },
    expect: '"abc", raised',
    gunicorn: {
      sees: '"abc", ignored',
      weAre: 'stricter',
      why: 'The PEP allows either; an application that miscounts should find out.',
    },
  },
  {
    id: 'write-past-length-goes-on',
    section: 'Handling the Content-Length Header',
    level: 'should',
    rule:
      'After write() beyond the Content-Length has raised, the response is complete and ' +
      'the connection stays usable.',
    on: threads,
    run: async (probe) => {
      const connection = await probe.connect()
      const response = await connection.request(probe.request('writes_past_length'))
      const next = await connection.request(probe.request('counted'))
      return `${content(response)}, then ${summary(next)}`
    },
    expect: '"abc", then 200 OK: "counted"',
  },
  {
    id: 'write-past-length-head',
    section: 'Handling the Content-Length Header',
    level: 'may',
    rule: 'A response to HEAD has no body, so write() cannot exceed the Content-Length.',
    run: async (probe) => {
      const response = await probe.ask('writes_past_length', { method: 'HEAD' })
      await probe.settled()
      return (
        `${response.status}, Content-Length ${response.header('Content-Length')}, ` +
        `${probe.notes().join()}`
      )
    },
    expect: '200, Content-Length 3, ignored',
  },
  {
    id: 'write-head',
    section: 'Other HTTP Features',
    level: 'must',
    rule: 'Bytes written in response to HEAD are not sent.',
    on: threads,
    run: async (probe) => {
      const connection = await probe.connect()
      const head = await connection.request(probe.request('writes_all', { method: 'HEAD' }), 'HEAD')
      const next = await connection.request(probe.request('counted'))
      return `${head.status}, then ${summary(next)}`
    },
    expect: '200, then 200 OK: "counted"',
  },
  ...['str', 'int', 'None'].map(
    (type): PepCase => ({
      id: `write-${type.toLowerCase()}`,
      section: 'Unicode Issues',
      level: 'must',
      rule:
        'write() takes bytes; ' +
        `${type === 'None' ? 'None' : `a${type === 'int' ? 'n' : ''} ${type}`} is an error ` +
        'in the application, and the client gets no 200.',
      run: async (probe) => {
        const response = await probe.ask('writes_wrong_type', { headers: [['X-Type', type]] })
        return `${probe.notes().join()}, ${summary(response)}`
      },
      expect: 'raised TypeError, 500',
      gunicorn: {
        sees: 'raised TypeError, 200 OK: "", broken off',
        weAre: 'conforms',
        why: 'Gunicorn sends the head before it checks the type of the argument.',
      },
      typescript: {
        sees: 'raised WSGIError, 500',
        because: 'words',
        why: 'Every violation raises a WSGIError that names the rule.',
      },
    }),
  ),
]

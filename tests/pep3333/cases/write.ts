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
    rule: 'What is written is the body, and the returned iterable may be empty.',
    run: async (probe) => summary(await probe.ask('writes_all')),
    expect: '200 OK: "one two"',
  },
  {
    id: 'write-then-list',
    section,
    level: 'must',
    rule:
      'What is yielded follows what was written; with write() in use the length of a ' +
      'one-item list says nothing.',
    run: async (probe) => summary(await probe.ask('writes_then_yields')),
    expect: '200 OK: "written yielded"',
  },
  {
    id: 'write-then-generator',
    section,
    level: 'must',
    rule: 'The same with a generator.',
    run: async (probe) => summary(await probe.ask('writes_then_generates')),
    expect: '200 OK: "one two three four"',
  },
  {
    id: 'write-empty',
    section,
    level: 'must',
    rule: 'An empty write neither ends nor spoils the body.',
    run: async (probe) => summary(await probe.ask('writes_empty')),
    expect: '200 OK: "abc"',
  },
  {
    id: 'write-much',
    section,
    level: 'must',
    rule: 'Two mebibytes, in one write and in many, arrive whole.',
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
    rule: 'Before write() returns, its bytes are on their way to the client.',
    run: (probe) => inStep(probe, 'writes_in_step'),
    expect: '200, each part before the next',
  },
  {
    id: 'write-1.0',
    section,
    level: 'must',
    rule: 'The same for an HTTP/1.0 client, which knows no chunks.',
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
    rule: 'With a Content-Length the written bytes count towards it.',
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
    rule: 'write() past the Content-Length raises an error, and no more is sent than was promised.',
    run: async (probe) => {
      const response = await probe.ask('writes_past_length')
      await probe.settled()
      return `${content(response)}, ${probe.notes().join()}`
    },
    expect: '"abc", raised',
    gunicorn: {
      sees: '"abc", ignored',
      weAre: 'stricter',
      why: 'The PEP wants either; an application that miscounts should learn of it.',
    },
  },
  {
    id: 'write-past-length-goes-on',
    section: 'Handling the Content-Length Header',
    level: 'should',
    rule:
      'When write() past the Content-Length has raised, the client has all that was ' +
      'promised, and its connection goes on.',
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
    rule: 'To HEAD nothing is sent, so nothing is past the Content-Length.',
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
    rule: 'What is written in answer to HEAD is not sent.',
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
        'in the application, and the client is not told of a 200.',
      run: async (probe) => {
        const response = await probe.ask('writes_wrong_type', { headers: [['X-Type', type]] })
        return `${probe.notes().join()}, ${summary(response)}`
      },
      expect: 'raised TypeError, 500',
      gunicorn: {
        sees: 'raised TypeError, 200 OK: "", broken off',
        weAre: 'conforms',
        why: 'Gunicorn sends the head before it looks at what is written.',
      },
      typescript: {
        sees: 'raised WSGIError, 500',
        because: 'words',
        why: 'Every violation is a WSGIError, which names the rule.',
      },
    }),
  ),
]

import type { PepCase } from '../case.ts'
import { type Probe, summary } from '../probe.ts'

const section = 'Input and Error Streams'

/**
 * Writes to wsgi.errors in that way and says what came back and which of the texts are in the log.
 */
async function write(
  probe: Probe,
  how: string,
  texts: (token: string) => string[],
): Promise<string> {
  const response = await probe.ask('errors_written', { headers: [['X-How', how]] })
  const seen: string[] = []
  for (const text of texts(probe.token)) seen.push(await probe.logged(text))
  return [response.status === 200 ? 'no error' : summary(response), ...seen].join(', ')
}

export const errorStreamCases: readonly PepCase[] = [
  {
    id: 'errors-write',
    section,
    level: 'must',
    rule: 'Text passed to wsgi.errors.write() appears in the server\u2019s log.',
    run: (probe) => write(probe, 'write', (token) => [`first ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-writelines',
    section,
    level: 'must',
    rule: 'writelines() logs every line of the sequence.',
    run: (probe) => write(probe, 'writelines', (token) => [`one ${token}`, `two ${token}`]),
    expect: 'no error, logged, logged',
  },
  {
    id: 'errors-flush',
    section,
    level: 'must',
    rule: 'After flush(), everything that was written is in the log, even an incomplete line.',
    run: (probe) => write(probe, 'flush', (token) => [`partial ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-print',
    section,
    level: 'must',
    rule: 'print() can write to wsgi.errors.',
    run: (probe) => write(probe, 'print', (token) => [`printed ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-traceback',
    section,
    level: 'must',
    rule: 'The traceback module can write to wsgi.errors, and all lines appear in the log.',
    run: (probe) => write(probe, 'traceback', (token) => [`LookupError: trapped ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-unicode',
    section,
    level: 'should',
    rule:
      'Text outside latin-1 does not raise an error; it is logged, possibly with ' +
      'replacement characters.',
    run: (probe) => write(probe, 'unicode', (token) => [token]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-surrogate',
    section,
    level: 'should',
    rule: 'A lone surrogate, which cannot be encoded, does not raise an error either.',
    run: (probe) => write(probe, 'surrogate', (token) => [token]),
    expect: 'no error, logged',
  },
]

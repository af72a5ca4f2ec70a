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
    rule: 'write() of wsgi.errors reaches the server\u2019s log.',
    run: (probe) => write(probe, 'write', (token) => [`first ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-writelines',
    section,
    level: 'must',
    rule: 'writelines() logs every line of its sequence.',
    run: (probe) => write(probe, 'writelines', (token) => [`one ${token}`, `two ${token}`]),
    expect: 'no error, logged, logged',
  },
  {
    id: 'errors-flush',
    section,
    level: 'must',
    rule: 'flush() makes sure that what was written, even part of a line, is in the log.',
    run: (probe) => write(probe, 'flush', (token) => [`partial ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-print',
    section,
    level: 'must',
    rule: 'It is a text stream that print() can write to.',
    run: (probe) => write(probe, 'print', (token) => [`printed ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-traceback',
    section,
    level: 'must',
    rule:
      'It is a text stream that the traceback module can write to, and the log has all of ' +
      'its lines.',
    run: (probe) => write(probe, 'traceback', (token) => [`LookupError: trapped ${token}`]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-unicode',
    section,
    level: 'should',
    rule: 'Text beyond latin-1 raises no error and is logged, perhaps with substitutes.',
    run: (probe) => write(probe, 'unicode', (token) => [token]),
    expect: 'no error, logged',
  },
  {
    id: 'errors-surrogate',
    section,
    level: 'should',
    rule: 'Even a lone surrogate, which no encoding has, raises no error.',
    run: (probe) => write(probe, 'surrogate', (token) => [token]),
    expect: 'no error, logged',
  },
]

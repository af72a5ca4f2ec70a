import type { PepCase, Section } from '../case.ts'
import { type CaseRequest, type Probe, summary } from '../probe.ts'

// `wsgi.early_hints` is an extension ("A server may add variables of its own"), which Gunicorn has
// under this name.
const section: Section = 'Other HTTP Features'

/** Each interim response by its status and its Link, then the final one. */
async function all(probe: Probe, app: string, options: CaseRequest = {}): Promise<string> {
  const responses = await probe.askAll(app, options)
  const final = responses.at(-1)!
  const before = responses.slice(0, -1).map((each) => `${each.status} ${each.header('Link')}`)
  return [...before, summary(final)].join(', then ')
}

async function wrong(probe: Probe, what: string): Promise<string> {
  const responses = await probe.askAll('hints_wrong', { headers: [['X-Wrong', what]] })
  const forged = responses.some((response) => response.header('X-Forged') !== undefined)
  const notes = probe.notes().join(' ') || 'not raised'
  return `${notes}, ${responses.length} response${forged ? ', forged' : ''}`
}

export const earlyHintsCases: readonly PepCase[] = [
  {
    id: 'early-hints',
    section,
    level: 'may',
    rule:
      '`wsgi.early_hints` sends interim responses (103) before the head of the response, ' +
      'before or after `start_response`.',
    run: (probe) => all(probe, 'hints_twice'),
    expect: '103 </a.css>; rel=preload, then 103 </b.js>; rel=preload, then 200 OK: "done"',
  },
  {
    id: 'early-hints-1.0',
    section,
    level: 'must',
    rule: 'A client that speaks HTTP/1.0 gets no interim response (RFC 9110 §15.2).',
    run: (probe) => all(probe, 'hints_twice', { version: '1.0' }),
    expect: '200 OK: "done"',
  },
  {
    id: 'early-hints-late',
    section,
    level: 'must',
    rule: '`wsgi.early_hints` does nothing after the head of the response.',
    run: (probe) => all(probe, 'hints_late'),
    expect: '200 OK: "ab"',
  },
  {
    id: 'early-hints-split-by-value',
    section,
    level: 'must',
    rule: '`wsgi.early_hints` refuses a value with CR and LF.',
    run: (probe) => wrong(probe, 'value'),
    expect: 'raised, 1 response',
  },
  {
    id: 'early-hints-split-by-name',
    section,
    level: 'must',
    rule: '`wsgi.early_hints` refuses a name with CR and LF.',
    run: (probe) => wrong(probe, 'name'),
    expect: 'raised, 1 response',
  },
]

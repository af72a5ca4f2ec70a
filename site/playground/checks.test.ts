import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { complaints, differences, judge } from './checks.ts'
import type { Exchange, LogEntry } from './protocol.ts'
import { steps } from './steps/step.ts'
import type { Check } from './steps/types.ts'

function exchange(part: Partial<Exchange> = {}): Exchange {
  return {
    environ: null,
    response: {
      status: '200 OK',
      headers: [['Content-Type', 'text/plain']],
      body: new TextEncoder().encode('hello'),
      complete: true,
    },
    log: [],
    ...part,
  }
}

const check: Check = {
  title: 'says hello',
  requests: [{ method: 'GET', path: '/' }],
  expect: { status: 200, body: 'hello' },
  hint: 'It says hello.',
}
const log = (text: string): LogEntry[] => [{ from: 'server', text }]

describe('a check', () => {
  test('passes if nothing differs and nobody complains', () => {
    const result = { failure: null, loading: [], exchanges: [exchange()] }
    expect(judge(check, result)).toEqual({ passed: true, missing: '' })
  })

  test('says what differs, with the hint first', () => {
    const other = { ...check, expect: { status: 404, body: 'bye', headers: { allow: 'GET' } } }
    const { missing } = judge(other, { failure: null, loading: [], exchanges: [exchange()] })
    expect(missing.split('\n')).toEqual([
      'It says hello.',
      'the status is 200 OK, not 404',
      'the body is "hello", not "bye"',
      'there is no header allow',
    ])
  })

  test('has the words of the validator, even if the answer is right', () => {
    const said = log('Traceback (most recent call last):\n  File "a"\nAssertionError: No headers\n')
    const exchanges = [exchange({ log: said })]
    const verdict = judge(check, { failure: null, loading: [], exchanges })
    expect(verdict).toEqual({
      passed: false,
      missing: 'It says hello.\nAssertionError: No headers',
    })
    const quiet = { ...check, expect: { ...check.expect, quiet: false } }
    expect(judge(quiet, { failure: null, loading: [], exchanges }).passed).toBe(true)
  })

  test('has only the error of an application that failed, with its line', () => {
    const text =
      'Traceback (most recent call last):\n  File "/tutorial/hello.py", line 2, in app\n' +
      "NameError: name 'x' is not defined\n"
    const { response } = exchange()
    const failed = exchange({
      response: { ...response!, status: '500 Internal Server Error' },
      log: log(text),
    })
    expect(judge(check, { failure: null, loading: [], exchanges: [failed] }).missing).toBe(
      'It says hello.\nthe status is 500 Internal Server Error, not 200\n' +
        "NameError: name 'x' is not defined (hello.py, line 2)",
    )
  })

  test.each([
    ['an error', 'Error: no luck', 'Error: no luck (hello.ts, line 3)'],
    [
      'an error with a name',
      'Error while answering GET /: TypeError: app is not a function',
      'Error while answering GET /: TypeError: app is not a function (hello.ts, line 3)',
    ],
  ])('has the line of %s in TypeScript', (_, line, said) => {
    const frames = '    at app (hello.ts:3:9)\n    at other (append.ts:1:2)\n'
    expect(complaints(log(`${line}\n${frames}`))).toEqual([said])
    expect(complaints(log(`${line}\n    at hello.ts:3:9\n`))).toEqual([said])
  })

  test('has no line where there is none', () => {
    expect(complaints(log('500 Internal Server Error\nError: no luck\n'))).toEqual([
      'Error: no luck',
    ])
  })

  test('a program that cannot be loaded fails with the last line of its error', () => {
    const failure = 'application could not be loaded\nTraceback\nNameError: x'
    expect(judge(check, { failure, loading: [], exchanges: [] }).missing).toBe(
      'It says hello.\nNameError: x',
    )
  })

  test('a response that breaks off must do so only where it should', () => {
    const { response } = exchange()
    const broken = exchange({ response: { ...response!, complete: false } })
    expect(differences({}, broken)).toEqual(['the response breaks off before its end'])
    expect(differences({ complete: false }, broken)).toEqual([])
    expect(differences({ complete: false }, exchange())).toEqual([
      'the response does not break off',
    ])
    expect(differences({}, exchange({ response: null }))).toHaveLength(1)
  })

  test('looks at the environ, in the form of either language', () => {
    const shown = exchange({
      environ: [
        ['A', "'x'"],
        ['B', '"y"'],
      ],
    })
    expect(differences({ environ: { A: 'x', B: 'y', C: null } }, shown)).toEqual([])
    expect(differences({ environ: { A: 'y', B: null, C: 'z' } }, shown)).toEqual([
      `A is 'x', not "y"`,
      'the environ has B',
      'the environ has no C',
    ])
  })

  test('what a program prints is no complaint', () => {
    expect(complaints([{ from: 'stdout', text: 'ValueError: printed' }])).toEqual([])
    expect(complaints(log('GET /: the application declared Content-Length: 2 and more'))).toEqual([
      'GET /: the application declared Content-Length: 2 and more',
    ])
  })
})

describe('the steps', () => {
  const page = readFileSync(new URL('../../docs/guides/tutorial.md', import.meta.url), 'utf8')

  test.each(steps)('the page has the files of step $number', (step) => {
    for (const name of [...step.files.python, ...step.files.typescript])
      if (name !== 'command.txt') expect(page).toContain(`file=${name}\n`)
    for (const language of ['python', 'typescript'] as const)
      if (step.command !== undefined) expect(page).toContain(`$ ${step.command[language]}`)
  })
})

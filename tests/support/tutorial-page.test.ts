import { describe, expect, test } from 'vitest'
import { filesOf, outputMatches, parsePage } from './tutorial-page.ts'

const fence = (info: string, text: string) => `\`\`\`${info}\n${text}\`\`\`\n`

describe('a page', () => {
  test('is taken apart into sections and blocks', () => {
    const page = parsePage(
      `# Title\n\n## One\n\n${fence('python file=a.py', 'x = 1\n')}\n## Two\n` +
        fence('console serve=ts', '$ run it\nup …\n') +
        fence('console ask', '$ a\n1\n\n2\n$ b\n') +
        fence('console ask=ts', '$ c\n') +
        fence('console run', '$ d\n'),
    )
    expect(page.sections).toEqual([
      { title: 'One', blocks: [{ kind: 'file', line: 5, name: 'a.py', text: 'x = 1\n' }] },
      {
        title: 'Two',
        blocks: [
          {
            kind: 'serve',
            line: 10,
            server: 'ts',
            command: { command: 'run it', output: 'up …\n' },
          },
          {
            kind: 'ask',
            line: 14,
            server: null,
            commands: [
              { command: 'a', output: '1\n\n2\n' },
              { command: 'b', output: '' },
            ],
          },
          { kind: 'ask', line: 21, server: 'ts', commands: [{ command: 'c', output: '' }] },
          { kind: 'run', line: 24, commands: [{ command: 'd', output: '' }] },
        ],
      },
    ])
    expect([...filesOf(page)]).toEqual([['a.py', 'x = 1\n']])
  })

  test.each([
    ['python', 'x\n', 'no known kind'],
    ['text', 'x\n', 'no known kind'],
    ['console', '$ x\n', 'no known kind'],
    ['console serve', '$ x\n', 'no known kind'],
    ['console serve=a', '$ x\n$ y\n', 'one command'],
    ['console run', 'x\n', 'begin with a command'],
    ['console run=a', '$ x\n', 'no known kind'],
    ['ts file=../x.ts', 'x\n', 'name of a file'],
    ['ts file=x.ts run', 'x\n', 'more than one'],
  ])('with a block "%s" that would not be run is refused', (info, text, why) => {
    expect(() => parsePage(`## One\n${fence(info, text)}`)).toThrow(why)
  })

  test('with two files of one name, or a block without an end, is refused', () => {
    const twice = parsePage(`## One\n${fence('ts file=a.ts', '')}${fence('ts file=a.ts', '')}`)
    expect(() => filesOf(twice)).toThrow('line 4: a.ts is there twice')
    expect(() => parsePage('## One\n```ts file=a.ts\n')).toThrow('without an end')
  })
})

describe('what is printed', () => {
  test.each([
    ['a\n', 'a\n', true],
    ['a\n', 'a', true],
    ['a\n', 'a  \r\n', true],
    ['', '', true],
    ['a\n', 'b\n', false],
    ['a\n', 'a\nb\n', false],
    ['a\nb\n', 'a\n', false],
    ['', 'a\n', false],
    ['a.c\n', 'abc\n', false],
    ['a … c\n', 'a b c\n', true],
    ['a … c\n', 'a b d\n', false],
    ['a\n…\nd\n', 'a\nb\nc\nd\n', true],
    ['a\n…\nd\n', 'a\nd\n', true],
    ['a\n…\nd\n', 'a\nb\n', false],
  ])('%j shown, %j printed: %s', (shown, printed, matches) => {
    expect(outputMatches(shown, printed)).toBe(matches)
  })

  test('lines may be among others, in their order', () => {
    expect(outputMatches('a\nc\n', 'x\na\nb\nc\nd\n', 'within')).toBe(true)
    expect(outputMatches('c\na\n', 'x\na\nb\nc\nd\n', 'within')).toBe(false)
  })
})

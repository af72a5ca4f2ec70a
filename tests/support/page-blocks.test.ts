import { describe, expect, test } from 'vitest'
import { consoleCommands, filesOnPage, pageBlocks, withoutBlocks } from './page-blocks.ts'

describe('the blocks of a page', () => {
  test('have a line, a section, a language and marks', () => {
    const page =
      '# A\n\n```ts file=a.ts run\n## x\n```\n\n## B\n\n- b\n\n  ```console\n  $ y\n  ```\n'
    expect(pageBlocks(page)).toEqual([
      {
        line: 3,
        section: '',
        language: 'ts',
        marks: new Map([
          ['file', 'a.ts'],
          ['run', ''],
        ]),
        text: '## x\n',
      },
      { line: 11, section: 'B', language: 'console', marks: new Map(), text: '$ y\n' },
    ])
  })

  test('must end', () => {
    expect(() => pageBlocks('```ts\nx\n')).toThrow('line 1: a block without an end')
  })

  test('are files if they have a name, which is used once', () => {
    const page = '```ts file=a.ts\nx\n```\n```console run\n$ y\n```\n'
    expect([...filesOnPage(pageBlocks(page))]).toEqual([['a.ts', 'x\n']])
    expect(() => filesOnPage(pageBlocks(page + page))).toThrow('line 7: a.ts is there twice')
  })

  test('leave blank lines where they are taken out', () => {
    expect(withoutBlocks('a\n```ts\nx\n```\nb\n')).toBe('a\n\n\n\nb\n')
  })
})

describe('the commands of a console block', () => {
  test('have what they print below them', () => {
    expect(consoleCommands('$ a\n1\n\n2\n$ b\n')).toEqual([
      { command: 'a', output: '1\n\n2\n' },
      { command: 'b', output: '' },
    ])
  })

  test('go on after a backslash', () => {
    expect(consoleCommands('$ a \\\n  b \\\n  c\n1 \\\n2\n')).toEqual([
      { command: 'a \\\n  b \\\n  c', output: '1 \\\n2\n' },
    ])
  })

  test('come first', () => {
    expect(() => consoleCommands('1\n$ a\n')).toThrow('not a command')
  })
})

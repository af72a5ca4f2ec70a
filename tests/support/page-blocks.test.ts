import { describe, expect, test } from 'vitest'
import { consoleCommands, pageBlocks } from './page-blocks.ts'

describe('the blocks of a page', () => {
  test('have a line, a language and marks', () => {
    const page = '# A\n\n```ts file=a.ts run\nx\n```\n\n- b\n\n  ```console\n  $ y\n  ```\n'
    expect(pageBlocks(page)).toEqual([
      {
        line: 3,
        language: 'ts',
        marks: new Map([
          ['file', 'a.ts'],
          ['run', ''],
        ]),
        text: 'x\n',
      },
      { line: 9, language: 'console', marks: new Map(), text: '$ y\n' },
    ])
  })

  test('must end', () => {
    expect(() => pageBlocks('```ts\nx\n')).toThrow('line 1: a block without an end')
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

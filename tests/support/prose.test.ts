import { describe, expect, test } from 'vitest'
import { misplacedSentences } from './prose.ts'

describe('one sentence on each line', () => {
  test.each([
    'A sentence.\nAnother one.',
    '- **Scheme.** One sentence after a lead-in.\n  Another one.',
    'It takes 10, 20, 40 … s (see RFC 9112 §9.6), e.g. A or B.',
    'The file `a. B` and the [page](a.b/ C) are one sentence.',
    'It is closed (at once. Or later).',
    '```text\nOne. Two.\n```',
    '| One. Two. | Three. |',
    'Several things:\n\n- one;\n- two.',
  ])('%j is well formed', (text) => {
    expect(misplacedSentences(text)).toEqual([])
  })

  test.each([
    ['One. Two.', ['1: One. Two.']],
    ['- One. Two.', ['1: - One. Two.']],
    ['One sentence that goes\non.', ['1: One sentence that goes']],
    ['It is `closed`. `open` comes next.', ['1: It is `closed`. `open` comes next.']],
  ])('%j is not', (text, expected) => {
    expect(misplacedSentences(text)).toEqual(expected)
  })
})

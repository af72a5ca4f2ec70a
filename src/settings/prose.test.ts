import { expect, test } from 'vitest'
import { sentencePerLine } from './prose.ts'

test('each sentence gets a line of its own, however the source is wrapped', () => {
  expect(sentencePerLine('One is\nwrapped. Two? `three` follows. (Four.) 5 ends.')).toBe(
    'One is wrapped.\nTwo?\n`three` follows.\n(Four.)\n5 ends.',
  )
})

test('numbers, names and abbreviations do not end a sentence', () => {
  const text = 'It takes 0.5 s with `monoceros.config.js` (see app.py), e.g. on Linux'
  expect(sentencePerLine(text.replace('Linux', 'linux'))).toBe(text.replace('Linux', 'linux'))
})

test('paragraphs and tables stay', () => {
  const text = 'First.\n\n| a | b |\n|---|---|\n| One. Two. | 2 |\n\nLast.'
  expect(sentencePerLine(text)).toBe(text)
})

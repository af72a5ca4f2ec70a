import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { steps } from './steps/step.ts'
import { tutorialTasks } from './tutorial-tasks.mjs'

test('a task is the paragraph that begins with its name, on one line', () => {
  const page = '# A\n\n## B\n\nb\n\n## 1. C\n\nc\n\n**Your task.**\nDo `d`.\nSee e.\n\n## F\n\nf\n'
  expect(tutorialTasks(page)).toEqual({ 1: 'Do `d`. See e.' })
})

test('a step without a task is an error', () => {
  expect(() => tutorialTasks('## 1. A\n\na\n\n## 2. B\n')).toThrow('step 1')
})

test('the tutorial has a task for each step', () => {
  const page = readFileSync(new URL('../../docs/guides/tutorial.md', import.meta.url), 'utf8')
  expect(Object.keys(tutorialTasks(page))).toEqual(steps.map(({ number }) => String(number)))
})

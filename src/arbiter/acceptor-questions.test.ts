import { expect, test } from 'vitest'
import { AcceptorQuestions, type SentQuestion } from './acceptor-questions.ts'

const workers = [{ pid: 4713, state: 'serving', requests: 2 }] as const

function acceptor() {
  const sent: SentQuestion[] = []
  const questions = new AcceptorQuestions((question) => sent.push(question))
  return { questions, sent }
}

test('each answer goes to the question with its number', async () => {
  const { questions, sent } = acceptor()
  const first = questions.ask('workers', null, 60_000)
  const second = questions.ask('workers', null, 60_000)
  expect(sent.map(({ question }) => question)).toEqual(['workers', 'workers'])
  questions.answered(sent[1].id, workers)
  questions.failed(sent[0].id, 'cannot look')
  expect(await second).toEqual({ answer: workers, absent: null })
  expect(await first).toEqual({ answer: null, absent: 'cannot look' })
})

test('an acceptor that does not answer in time is a reason', async () => {
  const { questions, sent } = acceptor()
  const answered = await questions.ask('workers', null, 5)
  expect(answered).toEqual({ answer: null, absent: 'it did not answer within 0.005 s' })
  questions.answered(sent[0].id, workers)
  const next = questions.ask('workers', null, 60_000)
  questions.answered(sent[1].id, workers)
  expect((await next).answer).toBe(workers)
})

test('one that hangs is not asked without end', async () => {
  const { questions, sent } = acceptor()
  const all = await Promise.all(
    Array.from({ length: 100 }, () => questions.ask('workers', null, 1)),
  )
  expect(all.every(({ absent }) => absent !== null)).toBe(true)
  expect(sent).toHaveLength(16)
  for (const { id } of sent) questions.answered(id, workers)
  void questions.ask('workers', null, 60_000)
  expect(sent).toHaveLength(17)
  questions.end('it is gone')
})

test('the end of the acceptor answers what it was asked, and what it is asked later', async () => {
  const { questions, sent } = acceptor()
  const before = questions.ask('workers', null, 60_000)
  questions.end('it has ended')
  expect(await before).toEqual({ answer: null, absent: 'it has ended' })
  expect(await questions.ask('workers', null, 60_000)).toEqual(await before)
  expect(sent).toHaveLength(1)
})

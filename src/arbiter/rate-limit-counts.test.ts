import { expect, it } from 'vitest'
import { parseRatePolicy } from '../rate-limit/rate-policy.ts'
import { SharedBuckets } from '../rate-limit/shared-buckets.ts'
import { takeTokens } from './rate-limit-counts.ts'

const acceptor = (rates: readonly string[], questions: (readonly string[])[] = []) =>
  new SharedBuckets(
    rates.map((text) => parseRatePolicy(text)!),
    async (keys) => {
      questions.push(keys)
      return takeTokens(rates, keys)
    },
  )

it('counts for several acceptors together', async () => {
  const rates = ['5/h', '100/d']
  const acceptors = [acceptor(rates), acceptor(rates)]
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => acceptors[i % 2]!.take('192.0.2.1')),
  )
  const refused = answers.filter((answer) => answer !== null)
  expect(refused).toHaveLength(15)
  expect(refused[0]).toMatchObject({ policy: { text: '5/h' } })
  expect(refused[0]!.waitMs).toBeGreaterThan(700_000)
})

it('is asked once in a turn of the event loop, and not about clients that must wait', async () => {
  const questions: (readonly string[])[] = []
  const one = acceptor(['1/h'], questions)
  await Promise.all([one.take('a'), one.take('b'), one.take('a')])
  expect(questions).toEqual([['a', 'b', 'a']])
  // Known without a question, so it is no promise.
  expect(one.take('a')).toMatchObject({ policy: { text: '1/h' } })
  expect(questions).toHaveLength(1)
})

it('keeps counts of other limits apart', async () => {
  expect(await acceptor(['1/h:burst=2']).take('c')).toBeNull()
  expect(await acceptor(['1/h:burst=3']).take('c')).toBeNull()
  expect(await acceptor(['1/h:burst=2']).take('c')).toBeNull()
  expect(await acceptor(['1/h:burst=2']).take('c')).not.toBeNull()
})

it('lets requests through when nobody answers', async () => {
  const one = new SharedBuckets([parseRatePolicy('1/s')!], () => Promise.reject(new Error('gone')))
  expect(await one.take('a')).toBeNull()
})

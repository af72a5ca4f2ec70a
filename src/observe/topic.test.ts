import { expect, it, vi } from 'vitest'
import { Topic } from './topic.ts'

const neverFails = (topic: string, error: unknown) => {
  throw new Error(`${topic}: ${error}`)
}

it('tells publishers whether anybody listens', () => {
  const topic = new Topic<number>('numbers', neverFails)
  expect(topic.hasListeners).toBe(false)
  const stopFirst = topic.subscribe(() => {})
  const stopSecond = topic.subscribe(() => {})
  expect(topic.hasListeners).toBe(true)
  stopFirst()
  stopFirst()
  expect(topic.hasListeners).toBe(true)
  stopSecond()
  expect(topic.hasListeners).toBe(false)
})

it('calls the listeners in the order of their subscriptions, until these end', () => {
  const topic = new Topic<number>('numbers', neverFails)
  const calls: string[] = []
  const stop = topic.subscribe((event) => calls.push(`first ${event}`))
  topic.subscribe((event) => calls.push(`second ${event}`))
  topic.publish(1)
  stop()
  topic.publish(2)
  expect(calls).toEqual(['first 1', 'second 1', 'second 2'])
})

it('takes one function twice, as two subscriptions', () => {
  const topic = new Topic<number>('numbers', neverFails)
  const listener = vi.fn()
  const stop = topic.subscribe(listener)
  topic.subscribe(listener)
  stop()
  topic.publish(1)
  expect(listener).toHaveBeenCalledOnce()
})

it('publishes to all that listened when it began, even if one of them unsubscribes', () => {
  const topic = new Topic<number>('numbers', neverFails)
  const second = vi.fn()
  const stop = topic.subscribe(() => stop())
  topic.subscribe(second)
  topic.publish(1)
  expect(second).toHaveBeenCalledOnce()
})

it('reports what a listener throws, and calls the others', () => {
  const failed = vi.fn()
  const topic = new Topic<number>('numbers', failed)
  const error = new Error('no')
  topic.subscribe(() => {
    throw error
  })
  const second = vi.fn()
  topic.subscribe(second)
  topic.publish(1)
  expect(failed).toHaveBeenCalledExactlyOnceWith('numbers', error)
  expect(second).toHaveBeenCalledOnce()
})

it('does nothing without listeners', () => {
  new Topic<number>('numbers', neverFails).publish(1)
})

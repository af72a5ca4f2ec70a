import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import type { Span } from '../bytes/span.ts'
import type { Reply } from '../http/exchange.ts'
import { RelayedExchange } from './relayed-exchange.ts'

const lent = { socket: {} as Socket, before: 'head' }
const ended: number[] = []
const reply = {
  lend: () => lent,
  lendingEnded: (sent: number) => void ended.push(sent),
} as unknown as Reply

it('passes a lent socket on', () => {
  const exchange = new RelayedExchange(reply)
  expect(exchange.lend(10)).toBe(lent)
  exchange.lendingEnded(7)
  expect(ended).toEqual([7])
})

it('lends no socket past a handler that looks at the body', () => {
  class Counting extends RelayedExchange {
    override data(body: Span): boolean {
      return this.reply.data(body)
    }
  }
  expect(new Counting(reply).lend(10)).toBeNull()
})

it('lends no socket where the engine has none to lend', () => {
  expect(new RelayedExchange({} as Reply).lend(10)).toBeNull()
})

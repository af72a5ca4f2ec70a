import { Hono } from 'hono'

/** In cents, for the first kilogram and each further one. */
const PRICES: Readonly<Record<string, readonly [first: number, further: number]>> = {
  at: [480, 120],
  fr: [890, 250],
  uk: [990, 310],
}

/** An API in TypeScript, as in any program with Hono. */
export const postage = new Hono().get('/postage', (c) => {
  const prices = PRICES[c.req.query('country') ?? '']
  const grams = Number(c.req.query('grams'))
  if (prices === undefined) return c.json({ error: 'No such country' }, 404)
  if (!(grams > 0 && grams <= 30_000)) return c.json({ error: 'grams: 1 to 30000' }, 400)
  const [first, further] = prices
  return c.json({ cents: first + further * (Math.ceil(grams / 1000) - 1) })
})

import { beforeAll, describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

describe.skipIf(!hasPython())('--cache', () => {
  let server: RunningServer
  beforeAll(async () => {
    const args = ['--cache', '8M', '--cache-purge-from', '127.0.0.1', '--threads', '8']
    server = await startServer({ app: 'cached:app', args, cwd: appsDirectory })
  })

  async function get(target: string, fields: Record<string, string> = {}, method = 'GET') {
    const response = await fetch(`${server.url}${target}`, { headers: fields, method })
    const status = response.headers.get('cache-status')?.replace(/^monoceros; /, '') ?? ''
    return { response, text: await response.text(), status }
  }

  test('a fresh response is answered from the store, to GET, HEAD and a range', async () => {
    const first = await get('/a?max-age=60')
    expect(first.status).toBe('fwd=uri-miss; stored')
    const second = await get('/a?max-age=60')
    expect(second.status).toMatch(/^hit; ttl=\d+$/)
    expect(second.text).toBe(first.text)
    expect(second.response.headers.get('age')).toMatch(/^\d+$/)
    expect(second.response.headers.get('date')).not.toBeNull()
    const head = await get('/a?max-age=60', {}, 'HEAD')
    expect([head.status.slice(0, 3), head.text]).toEqual(['hit', ''])
    expect(head.response.headers.get('content-length')).toBe(String(first.text.length))
    const part = await get('/a?max-age=60', { Range: 'bytes=0-5' })
    expect([part.response.status, part.text]).toEqual([206, 'answer'])
  })

  test.each(['/a?private', '/a?no-store', '/a', '/cookie?max-age=60'])(
    '%s is not stored',
    async (target) => {
      const first = await get(target)
      const second = await get(target)
      expect(second.status).toBe('fwd=uri-miss')
      expect(second.text).not.toBe(first.text)
    },
  )

  test('a response is asked about with its ETag', async () => {
    const first = await get('/tagged?no-cache')
    const second = await get('/tagged?no-cache')
    expect(second.status).toMatch(/^fwd=stale; fwd-status=304/)
    expect(second.text).toBe(first.text)
    const tagged = await get('/tagged?no-cache', { 'If-None-Match': '"tag"' })
    expect(tagged.response.status).toBe(304)
  })

  test('a variant is kept for each value of the fields in Vary', async () => {
    const german = await get('/language?max-age=60', { 'Accept-Language': 'de' })
    const english = await get('/language?max-age=60', { 'Accept-Language': 'en' })
    expect(english.text).not.toBe(german.text)
    const again = await get('/language?max-age=60', { 'Accept-Language': 'de' })
    expect(again.text).toBe(german.text)
  })

  test('the same request of many clients is one request to the application', async () => {
    let seconds = 600
    // A client that stands still while the first is answered has the others find it in the cache.
    await waitFor('some to come while the first is answered', async () => {
      const target = `/slow?max-age=${seconds++}`
      const all = await Promise.all(Array.from({ length: 20 }, () => get(target)))
      expect(new Set(all.map(({ text }) => text)).size).toBe(1)
      return all.some(({ status }) => status.includes('collapsed'))
    })
  })

  test('it goes on for the others if its client leaves', async () => {
    const target = '/slow?max-age=61'
    const leaving = await RawConnection.open(server)
    await leaving.send(`GET ${target} HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n\r\n`)
    expect((await leaving.readSome(1)).length).toBeGreaterThan(0)
    const waiting = get(target)
    leaving.close()
    const { text, status } = await waiting
    expect(text).toMatch(/^begun answer \d+\n$/)
    expect(status).toMatch(/collapsed|hit|stored/)
  })

  test('a large response is sent on and not stored', async () => {
    const [first, second] = [await get('/large?max-age=60'), await get('/large?max-age=60')]
    expect(first.text.length).toBeGreaterThan(40 * 65536)
    expect(second.text).not.toBe(first.text)
  })

  test('a POST and a PURGE drop what is stored', async () => {
    const target = '/dropped?max-age=60'
    const first = await get(target)
    await get(target, {}, 'POST')
    const second = await get(target)
    expect(second.text).not.toBe(first.text)
    expect((await get(target, {}, 'PURGE')).text).toBe('Purged 1 response.\n')
    expect((await get(target)).text).not.toBe(second.text)
  })

  test('a stale response is used while it is refreshed', async () => {
    const fresh = '/a?max-age=1,%20stale-while-revalidate=60'
    const stored = await get(fresh)
    let stale = await get(fresh)
    await waitFor('the response to be stale', async () => {
      stale = await get(fresh)
      return /^hit; ttl=(-\d+|0)$/.test(stale.status)
    })
    await waitFor('a newer one', async () => (await get(fresh)).text !== stored.text)
  })
})

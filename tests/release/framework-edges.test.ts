import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NodeProject } from '../support/node-project.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'

// What applications of ours in the servers of others do with errors, bodies that were read before,
// and other middleware. Fastify's are in src/adapters/to-fastify-plugin.test.ts, and the usual ways
// in framework-matrix.test.ts.

let project: NodeProject
let server: RunningServer

beforeAll(async () => {
  project = await NodeProject.open('servers', { python: false })
  const command = project.command('edges.js', [])
  server = await runServer({
    ...command,
    findAddresses: (log) => [/(http:\S+)/.exec(log)?.[1] ?? ''],
    isReady: (log) => /hono http:\S+\n/.test(log),
  })
})

afterAll(async () => {
  await server?.stop()
  project?.remove()
})

function urlOf(name: string): string {
  const url = new RegExp(`^${name} (http:\\S+)$`, 'm').exec(server.log())?.[1]
  if (url === undefined) throw new Error(`${name} has not been started`)
  return url
}

const form = () => ({ method: 'POST', body: new URLSearchParams({ name: 'Ann' }) })

describe('Express', () => {
  test('a body that a parser has read is a clear error', async () => {
    const from = server.log().length
    const response = await fetch(`${urlOf('express')}/before/sign`, form())
    expect(response.status).toBe(500)
    await server.waitForLog(
      /ConsumedBodyError: The body of the request was read before .*mount the application before/,
      { from },
    )
  })

  test('one whose bytes a parser has kept is read from there', async () => {
    const response = await fetch(`${urlOf('express')}/raw/sign`, { ...form(), redirect: 'manual' })
    expect(response.headers.get('set-cookie')).toContain('site=Ann')
  })

  test('an error is passed to its error handler', async () => {
    const response = await fetch(`${urlOf('express')}/passed/broken`)
    expect([response.status, await response.json()]).toEqual([
      418,
      { handled: 'broken on purpose' },
    ])
  })

  test('with scriptName, other paths go to the next handler', async () => {
    expect(await (await fetch(`${urlOf('express')}/own`)).text()).toBe('own')
    expect(await (await fetch(`${urlOf('express')}/named/`)).text()).toContain('"/named/signed"')
  })
})

describe('Koa', () => {
  test('other paths go on, and headers that were set before stay', async () => {
    expect(await (await fetch(`${urlOf('koa')}/own`)).text()).toBe('own')
    const response = await fetch(`${urlOf('koa')}/logged`)
    expect(response.headers.get('x-framework')).toBe('koa')
    expect(await response.text()).toContain('"/logged/signed"')
    const head = await fetch(`${urlOf('koa')}/logged/nowhere`, { method: 'HEAD' })
    expect(head.status).toBe(404)
  })

  test('an error is logged and answered, or passed to Koa', async () => {
    const from = server.log().length
    expect((await fetch(`${urlOf('koa')}/logged/broken`)).status).toBe(500)
    await server.waitForLog(/Error while answering GET \/logged\/broken: Error: broken/, { from })
    const passed = await fetch(`${urlOf('koa')}/passed/broken`)
    expect([passed.status, await passed.text()]).toEqual([500, 'Internal Server Error'])
    expect(await (await fetch(`${urlOf('koa')}/errors`)).json()).toEqual(['broken on purpose'])
  })
})

describe('Hono', () => {
  test('an error is passed to onError', async () => {
    const response = await fetch(`${urlOf('hono')}/passed/broken`)
    expect([response.status, await response.json()]).toEqual([
      418,
      { handled: 'broken on purpose' },
    ])
  })

  test('under mount(), links have the mount', async () => {
    const response = await fetch(`${urlOf('hono')}/mounted/signed`)
    expect(await response.text()).toContain('"/mounted/signed"')
  })
})

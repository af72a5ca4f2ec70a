import { describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'

describe.skipIf(!hasPython())("WebTest's lint, a second validator beside wsgiref's", () => {
  test.each([[[]], [['--threads', '4']], [['--no-request-buffering']]])(
    'finds nothing wrong with the server (%j)',
    async (args) => {
      const server = await startServer({ app: 'linted:app', args, cwd: appsDirectory })
      const get = await fetch(`${server.url}/a%20b?c=d`)
      expect([get.status, await get.text()]).toEqual([200, ''])
      const post = await fetch(server.url, { method: 'POST', body: 'some body' })
      expect([post.status, await post.text()]).toEqual([200, 'some body'])
      expect((await fetch(server.url, { method: 'HEAD' })).status).toBe(200)
      expect(server.log()).not.toMatch(/Traceback|WSGIWarning/)
    },
  )
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { WSGIApplication } from '../wsgi/types.ts'
import { serveModule } from './served-application.ts'
import { checkMounts } from './vite-options.ts'

test('pages load again after a change, also if a request has loaded the module first', async () => {
  const answering = (text: string): { app: WSGIApplication } => ({
    app: (_environ, startResponse) => {
      startResponse('200 OK', [['Content-Type', 'text/plain']])
      return [new TextEncoder().encode(text)]
    },
  })
  let module = answering('one')
  const refreshPages = vi.fn()
  const [mount] = checkMounts({ app: './served-application.ts:app', mount: '/ts' })
  const log = { info: () => {}, warn: () => {}, error: () => {} }
  const application = serveModule(mount!, {
    root: import.meta.dirname,
    client: '/@vite/client',
    log,
    importModule: async () => module,
    showError: () => {},
    clearError: () => {},
    refreshPages,
  })
  const server = createServer((request, response) => {
    application.middleware(request, response, () => response.end('next'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await application.close()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const text = async () => await (await fetch(`http://127.0.0.1:${port}/`)).text()

  expect(await text()).toBe('one')
  module = answering('two')
  application.changed()
  expect(await text()).toBe('two')
  await vi.waitFor(() => expect(refreshPages).toHaveBeenCalledTimes(1), 5000)
})

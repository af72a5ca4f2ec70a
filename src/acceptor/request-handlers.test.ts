import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { answerWith, serveHandler } from '../../tests/support/handler-server.ts'
import { makeSpool } from '../../tests/support/spool.ts'
import { loadSettings } from '../config/load-settings.ts'
import { ErrorLog } from '../logging/error-log.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { errorLogOptions } from '../settings/log-options.ts'
import type { Backend } from './backend.ts'
import { requestHandler } from './request-handlers.ts'

test('a response that zlib cannot compress is sent as it is, and the log says so', async () => {
  const { settings } = await loadSettings({
    args: ['--compress', '--compress-minimum', '0', 'shop:app'],
    env: {},
    cwd: tmpdir(),
  })
  const warnings: string[] = []
  const backend = {
    handler: (_head: unknown, reply: Parameters<typeof answerWith>[0]) => {
      return {
        begin() {},
        bodyData() {},
        bodyEnd() {
          answerWith(reply, 200, 'hello '.repeat(1000), [['Content-Type', 'text/plain']])
        },
        clientEnded() {},
        written() {},
        closed() {},
      }
    },
  } as unknown as Backend
  const handler = await requestHandler(
    {
      // No level of zlib. Settings are checked when they are read, so no user can have it.
      settings: { ...settings, compressLevel: { gzip: '99' } },
      events: new RequestEvents(() => {}),
      metrics: null,
      obstacle: () => null,
      spool: makeSpool(tmpdir()),
      log: new ErrorLog(errorLogOptions(settings)),
      listeners: [],
      warn: (kind, text) => warnings.push(`${kind}: ${text}`),
      development: null,
      takeTokens: async () => [],
      traces: null,
      cacheDrops: { tell: () => {}, receive: null },
    },
    backend,
  )
  const server = await serveHandler(handler)
  const answer = await server.ask({ target: '/', headers: [['Accept-Encoding', 'gzip']] })
  expect(answer.body).toBe('hello '.repeat(1000))
  expect(warnings).toEqual([
    expect.stringMatching(
      /^responses that could not be compressed: A response could not be compressed: .*level.* \[MONO4045\]$/,
    ),
  ])
})

import { startTranslator } from '../support/http2-translator.ts'
import type { RunningServer } from '../support/running-server.ts'

/** Where a case sees something else over HTTP/2, and why. */
export interface Http2Difference {
  /** What is seen instead; the suite checks it like the rest. */
  readonly sees: string
  readonly why: string
}

/** The cases that differ, in Python and in TypeScript, by their ids. */
export const http2Differences: ReadonlyMap<string, Http2Difference> = new Map()

/** Cases that cannot be put over HTTP/2, and why. */
export const onlyHttp1: ReadonlyMap<string, string> = new Map()

/**
 * The server as the cases see it, which speak HTTP/1.1: behind a translator that speaks HTTP/2 to
 * it. It must be started with `--h2c`.
 */
export async function overHttp2(server: RunningServer): Promise<RunningServer> {
  const translator = await startTranslator(server)
  return new Proxy(server, {
    get(target, key) {
      if (key === 'port') return translator.port
      if (key === 'stop') {
        return async (...args: Parameters<RunningServer['stop']>) => {
          translator.close()
          return await target.stop(...args)
        }
      }
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

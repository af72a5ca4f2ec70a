import { fileURLToPath } from 'node:url'
import { ownCode } from '../own-files/own-files.ts'

/** Where this server's own code is, as stacks name it. In a bundle it cannot be told apart. */
const OWN_CODE = ownCode === null ? [] : [ownCode, fileURLToPath(ownCode)]

/**
 * Where the application calls the server at this moment, such as `/srv/app.ts:12:3`; null if the
 * stack does not show it.
 */
export function callerPlace(): string | null {
  const holder: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 50
  Error.captureStackTrace(holder)
  Error.stackTraceLimit = limit
  for (const line of String(holder.stack).split('\n').slice(1)) {
    const place = /(?:\(|at )((?:file:\/\/)?\/[^()]*:\d+:\d+)\)?$/.exec(line)?.[1]
    if (place === undefined) continue
    if (!OWN_CODE.some((own) => place.startsWith(own))) return place.replace(/^file:\/\//, '')
  }
  return null
}

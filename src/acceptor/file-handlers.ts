import type { EdgeHandler } from '../edge/chain.ts'
import { sendfile } from '../edge/sendfile/sendfile.ts'
import { staticFiles } from '../edge/static-files/static-files.ts'
import { FileStore } from '../files/file-store.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { type Coded, coded } from '../messages/coded.ts'
import { descriptorLimit } from '../process/descriptor-limit.ts'
import { acceptorsOf } from '../settings/runtime.ts'
import type { Settings } from '../settings/table.ts'
import type { Spool } from '../spool/spool.ts'
import type { AcceptorMetrics } from './acceptor-metrics.ts'

/** What the handlers are made from. */
export interface FileHandlerOptions {
  readonly settings: Settings
  readonly spool: Spool
  readonly log: ErrorLog
  readonly warn: (kind: string, text: Coded) => void
  /** Null without `metrics_bind`. */
  readonly metrics: AcceptorMetrics | null
}

/** The handlers that send files. Each list has one or none. */
export interface FileHandlers {
  /** Answers by the path of the request. */
  readonly byPath: EdgeHandler[]
  /** Answers with the files that responses of the application refer to. */
  readonly byResponse: EdgeHandler[]
}

/** The share of the descriptors for files that are sent. */
const SHARE_OF_FILES = 1 / 10

/** The handlers that send files, of which one or both are asked for. */
export function fileHandlers(options: FileHandlerOptions): FileHandlers {
  const { settings, spool, log, warn, metrics } = options
  const { memory } = spool
  const store = new FileStore({
    bytes: Math.floor(settings.staticCache / acceptorsOf(settings)),
    descriptors: Math.max(16, Math.floor(descriptorLimit() * SHARE_OF_FILES)),
    memory,
    tell: (text) => warn('files that may not be read', coded('MONO4044', text)),
  })
  const byPath: EdgeHandler[] = []
  const byResponse: EdgeHandler[] = []
  if (Object.keys(settings.static).length > 0) {
    byPath.push(
      staticFiles({
        folders: settings.static,
        rootPath: settings.rootPath,
        spa: settings.spa,
        cacheControl: settings.staticCacheControl,
        immutable: settings.staticImmutable,
        store,
        memory,
        warn,
        hit: metrics === null ? undefined : () => metrics.staticHit(),
      }),
    )
  }
  if (settings.sendfileRoot.length > 0 || Object.keys(settings.accelRedirect).length > 0) {
    byResponse.push(
      sendfile({
        roots: settings.sendfileRoot,
        redirects: settings.accelRedirect,
        store,
        memory,
        error: (text) => log.error(text),
        warn,
      }),
    )
  }
  return { byPath, byResponse }
}

import { ResponseBlocks } from '../field-block/response-block.ts'
import type { Reply, RequestSink } from '../http/exchange.ts'
import type { RequestHead } from '../http/request-head.ts'
import type { Runtime } from '../runtimes/runtime.ts'
import type { GatewayContext, GatewayOptions } from './context.ts'
import { EnvironWriter } from './environ.ts'
import { Exchange } from './exchange.ts'
import { SlowReaders } from './slow-readers.ts'

/** The gateway to workers: requests become tasks for a runtime, and its answers responses. */
export class Gateway implements GatewayContext {
  readonly options: GatewayOptions
  readonly environ: EnvironWriter
  readonly responseBlocks = new ResponseBlocks()
  readonly runtime: Runtime
  readonly slowReaders: SlowReaders

  constructor(options: GatewayOptions, runtime: Runtime) {
    this.options = options
    this.runtime = runtime
    this.slowReaders = new SlowReaders(options.spool, () => runtime.waiting > 0)
    this.environ = new EnvironWriter(options.rootPath)
  }

  /** The innermost handler of the edge's chain. */
  readonly handle = (head: RequestHead, reply: Reply): RequestSink =>
    new Exchange(this, head, reply)
}

import { CopiedHead } from '../../http/copied-head.ts'
import { type FieldName, fieldNames } from '../../http/field-names.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { RequestTrace } from '../../observe/request-trace.ts'
import { formatTraceParent } from './trace-context.ts'

const TRACEPARENT = fieldNames.named('traceparent')
const TRACESTATE = fieldNames.named('tracestate')

/**
 * A head as the application gets it: `traceparent` and `tracestate` are this server's, so that the
 * application's own instrumentation continues the trace. The original stays as it is.
 */
export class TracedHead extends CopiedHead {
  declare readonly fields: number[]
  declare readonly names: FieldName[]
  readonly #original: RequestHead

  constructor(original: RequestHead, trace: RequestTrace) {
    super(original)
    this.#original = original
    this.trace = trace
    const { traceId, applicationId, sampled, state } = trace
    const parent = `traceparent${formatTraceParent(traceId, applicationId, sampled)}`
    const start = this.append(state === '' ? parent : `${parent}tracestate${state}`)
    const { names, fields, fieldCount } = original
    this.names = names.slice(0, fieldCount)
    this.fields = fields.slice(0, fieldCount * 4)
    const tracing = tracingFields(names, fieldCount)
    // From the last one on, so that the places of the others stay.
    for (const index of tracing) {
      this.names.splice(index, 1)
      this.fields.splice(index * 4, 4)
    }
    if (tracing.length > 0) this.host = this.names.indexOf(HOST_NAME)
    this.#point(TRACEPARENT, start, start + parent.length)
    if (state !== '') this.#point(TRACESTATE, start + parent.length, this.bytes.length)
    this.fieldCount = this.names.length
  }

  /** Adds a field of which name and value are one behind the other. */
  #point(name: FieldName, start: number, end: number): void {
    const valueStart = start + name.lower.length
    this.names.push(name)
    this.fields.push(start, valueStart, valueStart, end)
  }

  requestLine(): string {
    return this.#original.requestLine()
  }
}

const HOST_NAME = fieldNames.named('host')
const NONE: readonly number[] = []

/** Where the client's own fields are, the last one first; most requests have none. */
function tracingFields(names: readonly FieldName[], count: number): readonly number[] {
  let found: number[] | null = null
  for (let i = count - 1; i >= 0; i--) {
    const name = names[i]!
    if (name !== TRACEPARENT && name !== TRACESTATE) continue
    found ??= []
    found.push(i)
  }
  return found ?? NONE
}

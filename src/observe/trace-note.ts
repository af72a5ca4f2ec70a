import type { RequestTrace } from './request-trace.ts'

/**
 * What log lines about a request have behind its quoted request line, or nothing without traces:
 * ` (trace 4bf9…, span 00f0…)`.
 */
export function traceNote(trace: RequestTrace | null): string {
  return trace === null ? '' : ` (trace ${trace.traceId}, span ${trace.spanId})`
}

/**
 * Text with such a note. The request line before it is matched whole: a client cannot end it, since
 * quotes in it are escaped.
 */
const NOTED =
  /^([^"\n]{0,100}"(?:[^"\\\n]|\\.)*") \(trace ([0-9a-f]{32}), span ([0-9a-f]{16})\)([\s\S]*)$/

/** A text without its {@link traceNote}, and the ids from it; null if it has none. */
export function splitTraceNote(
  text: string,
): { readonly text: string; readonly traceId: string; readonly spanId: string } | null {
  const parts = NOTED.exec(text)
  if (parts === null) return null
  const [, before = '', traceId = '', spanId = '', after = ''] = parts
  return { text: before + after, traceId, spanId }
}

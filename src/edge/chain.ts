import type { RequestHandler } from '../http/exchange.ts'

/**
 * A part of the edge: wraps the handler that comes after it. For each request it may
 *
 * - pass it on: `return next(head, reply)`;
 * - answer it by itself: return a {@link RequestSink} of its own and do not call `next`;
 * - watch or change what happens: call `next` with a {@link Reply} of its own, or return a sink
 *   that wraps the one that `next` returns.
 *
 * It is called once when the server starts. What it returns is called for each request, before the
 * engine is ready for an answer: an answer may be given from {@link RequestSink.begin} on. Handlers
 * do not know of each other, only their order matters.
 *
 * @example
 * // Static files, the outline. `FileAnswer` is a RequestSink that opens the file in begin().
 * export function staticFiles(root: string): EdgeHandler {
 *   return (next) => (head, reply) => {
 *     if (head.method !== 'GET' && head.method !== 'HEAD') return next(head, reply)
 *     const path = pathBelow(root, head)
 *     return path === null ? next(head, reply) : new FileAnswer(path, head, reply)
 *   }
 * }
 */
export type EdgeHandler = (next: RequestHandler) => RequestHandler

/**
 * Puts handlers around the gateway's. The first is the outermost: it sees a request first and its
 * response last. With none, the result is the gateway's handler itself, so an empty chain costs
 * nothing.
 *
 * @example chain([observeRequests(events), trustProxies(trust, events)], gateway.handle)
 */
export function chain(handlers: readonly EdgeHandler[], gateway: RequestHandler): RequestHandler {
  return handlers.reduceRight((next, handler) => handler(next), gateway)
}

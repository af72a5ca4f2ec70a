import { expect, it } from 'vitest'
import { ScriptedEngine } from '../../tests/support/scripted-engine.ts'
import { Span } from '../bytes/span.ts'
import type { Reply, RequestHandler, RequestSink } from '../http/exchange.ts'
import { responseHead } from '../http/response-head.ts'
import { chain, type EdgeHandler } from './chain.ts'

const GET = 'GET /file HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST /file HTTP/1.1\r\nHost: a\r\n\r\n'

/** A sink that answers as soon as it may. */
function answer(reply: Reply, status: number, body: string): RequestSink {
  return {
    begin: () => {
      const bytes = Buffer.from(body)
      reply.respond(responseHead(status, []), new Span().set(bytes, 0, bytes.length))
    },
    bodyData: () => {},
    bodyEnd: () => {},
    clientEnded: () => {},
    written: () => {},
    closed: () => {},
  }
}

const gateway: RequestHandler = (head, reply) => answer(reply, 200, `gateway ${head.method}`)

/** Answers GET by itself. */
const files: EdgeHandler = (next) => (head, reply) =>
  head.method === 'GET' ? answer(reply, 200, 'file') : next(head, reply)

/** Notes the status of each response, whoever gives it. */
const watcher = (seen: string[]): EdgeHandler => {
  return (next) => (head, reply) => {
    const watched: Reply = Object.create(reply, {
      respond: {
        value: (response: Parameters<Reply['respond']>[0], body: Span) => {
          seen.push(`${head.method} ${response.status}`)
          return reply.respond(response, body)
        },
      },
    })
    return next(head, watched)
  }
}

it('is the handler itself if there is nothing around it', () => {
  expect(chain([], gateway)).toBe(gateway)
})

it('lets a handler answer by itself, or pass a request on', () => {
  const handler = chain([files], gateway)
  expect(new ScriptedEngine().request(handler, GET).said).toEqual(['respond 200 file'])
  expect(new ScriptedEngine().request(handler, POST).said).toEqual(['respond 200 gateway POST'])
})

it('lets an outer handler see the responses of those within, and of the gateway', () => {
  const seen: string[] = []
  const handler = chain([watcher(seen), files], gateway)
  new ScriptedEngine().request(handler, GET)
  new ScriptedEngine().request(handler, POST)
  expect(seen).toEqual(['GET 200', 'POST 200'])
})

it('hides from an inner handler what an outer one answers', () => {
  const seen: string[] = []
  const handler = chain([files, watcher(seen)], gateway)
  new ScriptedEngine().request(handler, GET)
  new ScriptedEngine().request(handler, POST)
  expect(seen).toEqual(['POST 200'])
})

it('is put together once, from the inside', () => {
  const made: string[] = []
  const named =
    (name: string): EdgeHandler =>
    (next) => {
      made.push(name)
      return next
    }
  expect(chain([named('outer'), named('inner')], gateway)).toBe(gateway)
  expect(made).toEqual(['inner', 'outer'])
})

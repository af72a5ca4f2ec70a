import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseHead } from '../../tests/support/scripted-engine.ts'
import type { Span } from '../bytes/span.ts'
import type { Reply } from '../http/exchange.ts'
import type { Field, ResponseHead } from '../http/response-head.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { MemoryBudget } from '../spool/memory-budget.ts'
import { consoleErrors } from '../wsgi/error-stream.ts'
import type { ResponseHeaders, WSGIApplication } from '../wsgi/types.ts'
import { ApplicationGateway } from './application-gateway.ts'

/** Stands for the engine: notes what it is told. */
class TestReply implements Reply {
  readonly peer = {
    remoteAddress: '',
    remotePort: 0,
    localAddress: '',
    localPort: 0,
    encrypted: false,
    tls: null,
    environPart: null,
  }
  readonly bytesSent = 0
  readonly taken = 0
  readonly said: string[] = []
  body = ''
  head = ''

  respond(head: ResponseHead, body: Span): boolean {
    this.head = `${head.status} ${head.reason}\r\n`
    for (const [name, value] of head.fields) this.head += `${name}: ${value}\r\n`
    this.said.push(`respond ${head.status}`)
    this.body += body.latin1()
    return false
  }
  inform(status: number, fields: readonly Field[]): void {
    this.said.push(`inform ${status} ${fields.join(' ')}`)
  }
  start(head: { status: number }): boolean {
    this.said.push(`start ${head.status}`)
    return false
  }
  data(body: Span): boolean {
    this.body += body.latin1()
    return false
  }
  finish(): void {
    this.said.push('finish')
  }
  abort(): void {
    this.said.push('abort')
  }
  refuse(status: number): void {
    this.said.push(`refuse ${status}`)
  }
  pauseBody(): void {
    this.said.push('pauseBody')
  }
  resumeBody(): void {
    this.said.push('resumeBody')
  }
  wantBody(): void {}
}

/** An exchange of an application with a client that has sent a head with these lines. */
function exchange(app: WSGIApplication, lines = '', strict = true) {
  const said: string[] = []
  const say = (text: string) => said.push(text)
  const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
  const gateway = new ApplicationGateway(
    {
      rootPath: '',
      limitRequestBody: 0,
      memory,
      responseWindow: 1024,
      log: { error: say, warning: say, limited: (_level, _kind, text) => say(text) },
      events: new RequestEvents(() => {}),
    },
    app,
    { serverSoftware: 'test', multiprocess: false, errors: consoleErrors },
    strict,
  )
  const head = parseHead(`POST /path HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)
  const reply = new TestReply()
  const sink = gateway.handle(head, reply)
  sink.begin()
  return { reply, sink, said, memory }
}

const bodyOf = (body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): WSGIApplication => {
  return (_environ, startResponse) => {
    startResponse('200 OK', [])
    return body
  }
}

describe('the request body', () => {
  const reads = () => {
    let go = () => {}
    const waits = new Promise<void>((resolve) => {
      go = resolve
    })
    const read: Promise<Uint8Array>[] = []
    const app: WSGIApplication = async (environ, startResponse) => {
      await waits
      read.push(environ['wsgi.input'].read())
      await read[0]
      startResponse('200 OK', [])
      return []
    }
    const result = async () => {
      go()
      await vi.waitFor(() => expect(read).toHaveLength(1), 25_000)
      return Buffer.from(await read[0]!).toString()
    }
    return { app, result }
  }

  test('one that had come whole can be read when its client is gone: it is not empty', async () => {
    const { app, result } = reads()
    const { sink } = exchange(app, 'Content-Length: 5\r\n')
    sink.bodyData(Buffer.from('whole'))
    sink.bodyEnd()
    sink.closed(false)
    expect(await result()).toBe('whole')
  })

  test('one that had not is an error, whatever of it had come', async () => {
    const { app, result } = reads()
    const { sink } = exchange(app, 'Transfer-Encoding: chunked\r\n')
    sink.bodyData(Buffer.from('half'))
    await Promise.resolve()
    sink.closed(false)
    await expect(result()).rejects.toMatchObject({ code: 'input-broken' })
  })

  test('one that comes byte by byte takes no more memory than one in large pieces, and is counted', async () => {
    const { reply, sink, memory } = exchange(
      () => new Promise(() => {}),
      'Transfer-Encoding: chunked\r\n',
    )
    await Promise.resolve()
    // Each a view of a slab of its own, as when other clients' reads lie between them.
    let pieces = 0
    while (!reply.said.includes('pauseBody') && pieces < 65536) {
      sink.bodyData(Buffer.allocUnsafeSlow(1024).subarray(0, 1))
      pieces++
    }
    expect(reply.said).toContain('pauseBody')
    expect(memory.held).toBeGreaterThan(pieces)
    expect(memory.held).toBeLessThan(130 * 1024)
    sink.closed(false)
    expect(memory.held).toBe(0)
  })

  test('and an array that waits for its client are counted while they last', async () => {
    const pieces = Array.from({ length: 40 }, () => new Uint8Array(10_000))
    const { sink, memory } = exchange(bodyOf(pieces))
    sink.bodyEnd()
    await vi.waitFor(() => expect(memory.held).toBe(400_000), 25_000)
    sink.closed(false)
    expect(memory.held).toBe(0)
  })

  test('one that was paused goes on when the application has read what there was', async () => {
    let length = 0
    const app: WSGIApplication = async (environ, startResponse) => {
      await vi.waitFor(() => expect(reply.said).toContain('pauseBody'), 25_000)
      for await (const line of environ['wsgi.input']) length += line.length
      startResponse('204 No Content', [])
      return []
    }
    const { reply, sink } = exchange(app, 'Transfer-Encoding: chunked\r\n')
    await Promise.resolve()
    for (let i = 0; i < 70_000; i++) sink.bodyData(Buffer.from('\n'))
    await vi.waitFor(() => expect(reply.said).toContain('resumeBody'), 25_000)
    sink.bodyEnd()
    await vi.waitFor(() => expect(reply.said).toContain('respond 204'), 25_000)
    expect(length).toBe(70_000)
  })
})

describe('a client that has closed its own direction', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is taken to be gone when it is sent nothing for a while', () => {
    const { reply, sink } = exchange(() => new Promise(() => {}))
    sink.bodyEnd()
    sink.clientEnded()
    vi.advanceTimersByTime(4000)
    expect(reply.said).toEqual([])
    vi.advanceTimersByTime(2000)
    expect(reply.said).toEqual(['abort'])
  })

  test('may take as long as it likes for a response that is complete', () => {
    const { reply, sink } = exchange(bodyOf([Buffer.alloc(5000)]))
    sink.clientEnded()
    sink.bodyEnd()
    vi.advanceTimersByTime(60_000)
    expect(reply.said).toEqual(['respond 200'])
  })

  test('may take as long as it likes for a piece of one, and then waits for the next as long as others', () => {
    const forever = (async function* () {
      yield Buffer.alloc(5000)
      await new Promise(() => {})
    })()
    const { reply, sink } = exchange(bodyOf(forever))
    sink.bodyEnd()
    sink.clientEnded()
    return Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => {
        expect(reply.said).toEqual(['start 200'])
        vi.advanceTimersByTime(63_000)
        expect(reply.said).toEqual(['start 200'])
        sink.written(5000)
        vi.advanceTimersByTime(4500)
        expect(reply.said).toEqual(['start 200'])
        vi.advanceTimersByTime(1000)
        expect(reply.said).toEqual(['start 200', 'abort'])
      })
  })
})

describe('what an application may give or throw', () => {
  test('bytes that were given away to a worker thread are none', () => {
    const bytes = new Uint8Array(10)
    structuredClone(bytes, { transfer: [bytes.buffer] })
    const { reply, sink } = exchange(bodyOf([bytes]))
    sink.bodyEnd()
    expect([reply.said, reply.body]).toEqual([['respond 200'], ''])
  })

  const throwing = (key: string) => ({
    get [key]() {
      throw new Error(key)
    },
  })
  test.each<[string, unknown, number]>([
    ['null', null, 500],
    [
      'an object without a prototype that asks for 404',
      Object.assign(Object.create(null), { status: 404 }),
      404,
    ],
    ['an object whose status throws', throwing('status'), 500],
    ['an object whose traceback throws', throwing('traceback'), 500],
    ['an object whose code throws', throwing('code'), 500],
    [
      'an error whose stack throws',
      Object.defineProperty(new Error('x'), 'stack', {
        get: () => {
          throw new Error('stack')
        },
      }),
      500,
    ],
    [
      'a proxy that throws at everything',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('get')
          },
          getPrototypeOf: () => {
            throw new Error('proto')
          },
        },
      ),
      500,
    ],
  ])('%s is answered, early and late', async (_, thrown, status) => {
    const early = exchange(() => {
      throw thrown
    })
    early.sink.bodyEnd()
    expect(early.reply.said).toEqual([`refuse ${status}`])
    expect(early.said).toHaveLength(1)
    const late = exchange(() => Promise.reject(thrown))
    late.sink.bodyEnd()
    await vi.waitFor(() => expect(late.reply.said).toEqual([`refuse ${status}`]), 25_000)
  })

  test('an error that asks for a status below 500 is one line of the log, whatever its message', () => {
    const { sink, said } = exchange(() => {
      throw Object.assign(new Error('no such page\n[CRITICAL] forged'), { status: 404 })
    })
    sink.bodyEnd()
    expect(said).toEqual(['Answering 404 to "POST /path HTTP/1.1": Error: no such page [MONO4007]'])
  })

  test.each(['then', 'close'])(
    'a body whose %s throws is an error of its application',
    async (key) => {
      const body = {
        *[Symbol.iterator]() {
          yield Buffer.from('x')
        },
        get [key]() {
          throw new Error(`thrown by ${key}`)
        },
      }
      const { reply, sink, said } = exchange(bodyOf(body))
      sink.bodyEnd()
      await vi.waitFor(() => expect(said.join()).toMatch(`thrown by ${key}`), 25_000)
      expect(reply.said).toEqual(key === 'then' ? ['refuse 500'] : ['start 200', 'finish'])
    },
  )
})

describe('what is not quite right', () => {
  const app: WSGIApplication = (_environ, startResponse) => {
    const headers = [
      ['Connection', 'keep-alive'],
      ['X-A', '1'],
    ]
    startResponse('200', new Map(headers as [string, string][]) as unknown as ResponseHeaders)
    return [new DataView(new ArrayBuffer(3)), Buffer.from('x')] as unknown as Uint8Array[]
  }

  test('is served where rules are not strict, and noted once with the place', () => {
    const { reply, said, sink } = exchange(app, '', false)
    sink.bodyEnd()
    expect(reply.head).toBe('200 \r\nX-A: 1\r\n')
    expect(reply.body).toBe('\0\0\0x')
    expect(said).toHaveLength(4)
    expect(said.join('\n')).toMatch(
      /POST \/path HTTP\/1.1: start_response: Connection is a hop-by-hop header.*: the header is omitted \(.*:\d+:\d+\). This is logged only once; with --strict, it is an error \[MONO4005\]/,
    )
  })

  test('is an error where they are', () => {
    const { reply, said, sink } = exchange(app)
    sink.bodyEnd()
    expect(reply.said).toContain('refuse 500')
    expect(said).toHaveLength(1)
  })
})

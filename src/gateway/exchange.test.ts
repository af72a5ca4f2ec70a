import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseHead } from '../../tests/support/scripted-engine.ts'
import { makeSpool } from '../../tests/support/spool.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { EMPTY, Span } from '../bytes/span.ts'
import type { Peer, Reply, RequestSink } from '../http/exchange.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { REFUSED, type Task, type TaskHandle } from '../runtimes/runtime.ts'
import { DiskBudget } from '../spool/disk-budget.ts'
import { MemoryBudget, UNLIMITED_MEMORY } from '../spool/memory-budget.ts'
import type { GatewayOptions } from './context.ts'
import { Gateway } from './gateway.ts'

const peer: Peer = {
  remoteAddress: '192.0.2.7',
  remotePort: 1,
  localAddress: '127.0.0.1',
  localPort: 80,
  encrypted: false,
  tls: null,
  environPart: null,
}

/**
 * One exchange between a scripted engine and a scripted runtime; `said` is what it said to both, in
 * order.
 */
function begin(text: string, options: Partial<GatewayOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-exchange-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const said: string[] = []
  const logged: string[] = []
  const events = new RequestEvents(() => {})
  events.requestRefused.subscribe(({ reason }) => logged.push(reason))
  let task: Task | null = null
  let sink: RequestSink | null = null
  const close = (completed: boolean) => {
    const open = sink
    sink = null
    open?.closed(completed)
  }
  const handle: TaskHandle = {
    crowded: false,
    blocking: false,
    cancel: () => said.push('cancel'),
    sendBody: (chunk, end) => said.push(`body ${chunk.toString()}${end ? ' end' : ''}`),
    abortBody: () => said.push('abortBody'),
    grant: (bytes) => said.push(`grant ${bytes}`),
  }
  const reply: Reply = {
    peer,
    bytesSent: 0,
    taken: 0,
    inform: (status, fields) => said.push(`inform ${status} ${fields.join(' ')}`),
    respond: (head, body) => {
      said.push(`respond ${head.status} ${body.latin1()}`)
      close(true)
      return false
    },
    start: (head, body = EMPTY) => {
      said.push(`start ${head.status}${body.length === 0 ? '' : ` ${body.latin1()}`}`)
      return false
    },
    data: (body) => {
      said.push(`data ${body.latin1()}`)
      return false
    },
    lend: (bytes) => {
      said.push(`lend ${bytes}`)
      return LENT
    },
    lendingEnded: (bytes) => said.push(`lent ${bytes}`),
    finish: () => {
      said.push('finish')
      close(true)
    },
    abort: () => {
      said.push('abort')
      close(false)
    },
    refuse: (status, { close: closing = false } = {}) => {
      said.push(`refuse ${status}${closing ? ' close' : ''}`)
      close(true)
    },
    pauseBody: () => said.push('pause'),
    resumeBody: () => said.push('resume'),
    wantBody: () => said.push('want'),
  }
  const gateway = new Gateway(
    {
      rootPath: '',
      limitRequestBody: 0,
      requestBuffering: true,
      memory: UNLIMITED_MEMORY,
      spool: makeSpool(directory),
      responseWindow: 100,
      log: {
        error: (line) => logged.push(line),
        warning: (line) => logged.push(line),
        limited: (_level, _kind, line) => logged.push(line),
      },
      events,
      ...options,
    },
    {
      waiting: 0,
      submit: (submitted) => {
        said.push('submit')
        task = submitted
        return handle
      },
    },
  )
  sink = gateway.handle(parseHead(text), reply)
  sink.begin()
  return {
    said,
    logged,
    close,
    get task(): Task {
      return task!
    },
    get sink(): RequestSink {
      return sink!
    },
    /** What was said since the last look. */
    news: () => said.splice(0),
    respond: (head: string, body: string | null, ended: boolean) => {
      const bytes = Buffer.from(head + (body ?? ''))
      return task!.responseHead(
        new Span().set(bytes, 0, head.length),
        new Span().lend(bytes, head.length, bytes.length, 0),
        ended,
      )
    },
  }
}

const LENT = { socket: {} as Socket, before: 'head' }
const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const post = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`
const chunked = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

describe('an exchange', () => {
  it('goes to the runtime and back', () => {
    const exchange = begin(get)
    exchange.sink.bodyEnd()
    exchange.respond('200 OK\r\nX: y\r\n', 'hello', true)
    expect(exchange.said).toEqual(['submit', 'respond 200 hello'])
  })

  it('lends the socket for what the worker holds, and counts that', () => {
    const memory = new MemoryBudget(1000)
    const exchange = begin(get, { memory })
    exchange.sink.bodyEnd()
    exchange.respond('200 OK\r\nContent-Length: 400\r\n', null, false)
    expect(exchange.task.offered!(400, 400)).toBe(LENT)
    expect(memory.held).toBe(400)
    exchange.task.sent!(400)
    expect(memory.held).toBe(0)
    exchange.task.responseEnd(false)
    expect(exchange.said).toEqual(['submit', 'start 200', 'lend 400', 'lent 400', 'finish'])
  })

  it('lends nothing while memory is short', () => {
    const memory = new MemoryBudget(1000)
    memory.add(500)
    const exchange = begin(get, { memory })
    exchange.sink.bodyEnd()
    exchange.respond('200 OK\r\nContent-Length: 400\r\n', null, false)
    expect(exchange.task.offered!(400, 400)).toBeNull()
    expect(memory.held).toBe(500)
    exchange.close(false)
  })

  it('counts nothing for a client that left while its socket was lent', () => {
    const memory = new MemoryBudget(1000)
    const exchange = begin(get, { memory })
    exchange.sink.bodyEnd()
    exchange.respond('200 OK\r\nContent-Length: 400\r\n', null, false)
    exchange.task.offered!(400, 400)
    exchange.close(false)
    expect(memory.held).toBe(0)
    expect(exchange.said.at(-1)).toBe('cancel')
  })

  it('is refused as soon as a chunked body is over the limit', () => {
    const exchange = begin(chunked, { limitRequestBody: 5 })
    exchange.sink.bodyData(Buffer.from('12345'))
    expect(exchange.news()).toEqual(['want'])
    exchange.sink.bodyData(Buffer.from('6'))
    expect(exchange.news()).toEqual(['refuse 413 close'])
  })

  it('keeps a small body in memory and tells its length', () => {
    const exchange = begin(chunked)
    exchange.sink.bodyData(Buffer.from('abc'))
    exchange.sink.bodyEnd()
    expect(exchange.said).toEqual(['want', 'submit'])
    expect(exchange.task.body).toMatchObject({ kind: 'whole', length: 3 })
  })

  it('keeps the file of a cancelled task until no worker can open it any more', async () => {
    const exchange = begin(post(20))
    exchange.sink.bodyData(Buffer.alloc(20, 'x'))
    exchange.sink.bodyEnd()
    await waitFor('it to be submitted', () => exchange.said.includes('submit'))
    const { task } = exchange
    const { body } = task
    expect(body.kind).toBe('file')
    const path = body.kind === 'file' ? body.path : ''
    exchange.close(false)
    expect(exchange.said.at(-1)).toBe('cancel')
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(readFileSync(path, 'latin1')).toBe('x'.repeat(20))
    task.released()
    await waitFor('the file to be closed', () => {
      try {
        return readFileSync(path, 'latin1') !== 'x'.repeat(20)
      } catch {
        return true
      }
    })
  })

  it('answers 503 as soon as a body cannot be stored, once', async () => {
    const exchange = begin(post(40), {
      spool: makeSpool('/nowhere/at/all', { bodyMemory: 0 }),
    })
    exchange.sink.bodyData(Buffer.alloc(20, 'x'))
    await waitFor('the answer', () => exchange.said.includes('refuse 503'))
    expect(exchange.said).toEqual(['want', 'pause', 'refuse 503'])
    expect(exchange.logged.join()).toContain('ENOENT')
  })

  it('refuses a body for which the disk has no space at once, not at its end', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'monoceros-exchange-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const disk = new DiskBudget({ directory, limit: 10, reserve: 0, files: 10 })
    const exchange = begin(post(4000), { spool: makeSpool(directory, { disk }) })
    exchange.sink.bodyData(Buffer.alloc(20, 'x'))
    expect(exchange.said).toEqual(['want', 'refuse 503 close'])
    expect(exchange.logged.join()).toContain('spool_size')
  })

  describe('while memory is short', () => {
    function pressed(spooledTo?: string) {
      const directory = mkdtempSync(join(tmpdir(), 'monoceros-exchange-'))
      onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
      const memory = new MemoryBudget(64 * 1024 * 1024)
      memory.add(40 * 1024 * 1024)
      const spool = makeSpool(spooledTo ?? directory, { memory, responseLimit: 64 * 1024 * 1024 })
      const exchange = begin(get, { memory, spool, responseWindow: 256 * 1024 })
      exchange.sink.bodyEnd()
      exchange.news()
      return { exchange, memory, disk: spool.disk }
    }

    it('spools a response from its first bytes on, and gives all back at its end', async () => {
      const { exchange, memory, disk } = pressed()
      exchange.respond('200 OK\r\n', 'x'.repeat(100), false)
      expect(exchange.news()[1]).toMatch(/^grant \d+$/)
      expect(disk.used).toBeGreaterThan(0)
      exchange.close(false)
      await waitFor('the disk', () => disk.used === 0)
      expect(memory.held).toBe(40 * 1024 * 1024)
    })

    it('goes on without a file that cannot be written, and says so', async () => {
      const { exchange } = pressed('/nowhere/at/all')
      exchange.respond('200 OK\r\n', 'x'.repeat(100), false)
      // The client has enough of the first piece, so the second one goes to the disk.
      for (let i = 0; i < 2; i++)
        exchange.task.responseData(new Span().set(Buffer.alloc(300_000), 0, 300_000))
      await waitFor('the trouble', () => exchange.logged.length > 0)
      expect(exchange.logged).toEqual([
        expect.stringMatching(
          /^Cannot spool the response to "GET \/ HTTP\/1\.1": ENOENT: .* \[MONO4034\]$/,
        ),
      ])
    })

    it('reserves nothing for a response that is a file', async () => {
      const { exchange, disk } = pressed()
      exchange.respond('200 OK\r\nContent-Length: 60000000\r\n', null, false)
      exchange.task.responseFile({
        path: '/nowhere',
        device: 1,
        inode: 1,
        offset: 0,
        length: 60_000_000,
      })
      expect(disk.used).toBe(0)
    })

    it('forgets what a worker held when the worker is lost', () => {
      const { exchange, memory } = pressed()
      exchange.respond('200 OK\r\n', 'x'.repeat(100), false)
      exchange.task.held(20_000_000)
      expect(memory.held).toBeGreaterThan(60_000_000)
      exchange.task.lost(502, 'it was killed')
      expect(memory.held).toBeLessThan(60_000_000)
    })
  })

  it('streams a body as far as it is asked for, and ends it once', () => {
    const exchange = begin(post(10), { requestBuffering: false })
    const { sink, task } = exchange
    sink.bodyData(Buffer.from('abcdef'))
    expect(exchange.news()).toEqual(['submit'])
    task.wantBody(4)
    expect(exchange.news()).toEqual(['want', 'body abcd'])
    sink.bodyData(Buffer.from('ghij'))
    sink.bodyEnd()
    expect(exchange.news()).toEqual([])
    task.wantBody(100)
    expect(exchange.news()).toEqual(['want', 'body ef', 'body ghij', 'body  end'])
    // More credit may be on its way when the end is: an end that came twice would end the worker.
    task.wantBody(100)
    expect(exchange.news()).toEqual(['want'])
  })

  it('tells of the end of an empty body only when it is asked, for the task may change workers before', () => {
    const exchange = begin(chunked, { requestBuffering: false })
    exchange.sink.bodyEnd()
    expect(exchange.news()).toEqual(['submit'])
    exchange.task.wantBody(100)
    expect(exchange.news()).toEqual(['want', 'body  end'])
  })

  it('tells the runtime of a streamed body that broke off', () => {
    const exchange = begin(post(10), { requestBuffering: false })
    exchange.close(false)
    expect(exchange.said).toEqual(['submit', 'abortBody', 'cancel'])
  })

  it('grants what the client has taken, by halves of the window', () => {
    const exchange = begin(get)
    exchange.sink.bodyEnd()
    exchange.respond('200 OK\r\n', 'x', false)
    exchange.sink.written(49)
    expect(exchange.news()).toEqual(['submit', 'start 200 x'])
    exchange.sink.written(1)
    expect(exchange.news()).toEqual(['grant 50'])
    exchange.task.responseEnd(false)
    expect(exchange.news()).toEqual(['finish'])
  })

  it('answers 500 for a head that breaks a rule, and shows none of it', () => {
    const exchange = begin(get)
    exchange.sink.bodyEnd()
    expect(exchange.respond('200 OK\r\nX: a\nb\r\n', 'x', false)).toBe(REFUSED)
    expect(exchange.said).toEqual(['submit', 'refuse 500'])
    expect(exchange.logged.join()).toMatch(/^Invalid response head for .*0x0a.* \[MONO4008\]$/)
  })

  it('drops early hints that break a rule, and answers', () => {
    const exchange = begin(get)
    exchange.sink.bodyEnd()
    const lines = Buffer.from('Link: a\nb\r\n')
    exchange.task.earlyHints(new Span().lend(lines, 0, lines.length, 0))
    exchange.respond('200 OK\r\n', 'x', true)
    expect(exchange.said).toEqual(['submit', 'respond 200 x'])
    expect(exchange.logged.join()).toMatch(/^Dropping invalid early hints of .* \[MONO4009\]$/)
  })

  it('answers, or breaks off, what the runtime could not finish', () => {
    for (const started of [false, true]) {
      for (const end of ['lost', 'broken', 'failed'] as const) {
        if ((end === 'broken') !== started && end !== 'lost') continue
        const exchange = begin(get)
        exchange.sink.bodyEnd()
        if (started) exchange.respond('200 OK\r\n', null, false)
        exchange.news()
        if (end === 'lost') exchange.task.lost(502, 'it is gone')
        else if (end === 'broken') exchange.task.responseEnd(true)
        else exchange.task.failed('Traceback')
        expect(exchange.news()).toEqual([
          started ? 'abort' : end === 'lost' ? 'refuse 502' : 'refuse 500',
        ])
        if (end === 'lost') expect(exchange.logged.join()).toMatch(/it is gone \[MONO4012\]$/)
      }
    }
  })

  it('says nothing to a client that has left, nor to a runtime that has ended', () => {
    const left = begin(get)
    left.sink.bodyEnd()
    left.close(false)
    left.news()
    left.respond('200 OK\r\n', 'x', false)
    left.task.responseData(new Span().lend(Buffer.from('y'), 0, 1, 0))
    left.task.responseEnd(false)
    expect(left.news()).toEqual([])
  })
})

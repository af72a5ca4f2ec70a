import { existsSync, readFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// All of the middleware at once around Flask, Express and TypeScript
// (tests/apps/middleware-stack/app.ts), by the command, in two orders.

const data = temporaryDirectory()
const LONG = 'some text '.repeat(500)

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

describe.skipIf(!hasPython())('all of the middleware', () => {
  let server: RunningServer

  beforeAll(async () => {
    server = await startServer({
      app: './app.ts:app',
      args: ['--workers', '1'],
      cwd: join(appsDirectory, 'middleware-stack'),
      env: { TEST_DATA: data.path, PYTHONDONTWRITEBYTECODE: '1' },
    })
    // Python is started by the first request, and may take longer than the middleware lets it.
    await waitFor('Flask', async () => (await ask('/usual/flask/facts')).status === 200)
    return async () => {
      await server.stop()
      data.remove()
    }
  })

  function ask(
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
    pieces: Buffer[] = [],
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(server.url + path, { method, headers, agent: false }, (response) => {
        const body: Buffer[] = []
        response.on('data', (piece: Buffer) => body.push(piece))
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(body),
          }),
        )
        response.on('error', reject)
      })
      asked.on('error', reject)
      for (const piece of pieces) asked.write(piece)
      asked.end()
    })
  }

  const lines = (name: string) => {
    const file = join(data.path, name)
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  }

  describe.each(['/usual', '/reversed'])('under %s', (order) => {
    describe.each(['/flask', '/express', '/typescript'])('around %s', (guest) => {
      const base = order + guest

      test('compresses, tags, and answers 304 by the tag that it gave', async () => {
        const asking = { 'Accept-Encoding': 'gzip', Origin: 'https://shop.example' }
        const first = await ask(`${base}/text`, asking)
        expect(first.status).toBe(200)
        expect(gunzipSync(first.body).toString()).toBe(LONG)
        expect(first.headers).toMatchObject({
          'content-encoding': 'gzip',
          etag: expect.stringMatching(/^W\//),
          'access-control-allow-origin': 'https://shop.example',
          'server-timing': expect.stringMatching(/^app;dur=/),
          'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
        })
        expect(first.headers.vary?.split(/, */).sort()).toEqual(['Accept-Encoding', 'Origin'])
        const again = await ask(`${base}/text`, { ...asking, 'If-None-Match': first.headers.etag! })
        expect([again.status, again.body.length]).toEqual([304, 0])
        expect(again.headers.etag).toBe(first.headers.etag)
        expect(again.headers['access-control-allow-origin']).toBe('https://shop.example')
      })

      test('answers HEAD with the headers of GET', async () => {
        const without = ({ headers }: Answer) => {
          const { date: _, 'server-timing': __, 'x-request-id': ___, ...rest } = headers
          return rest
        }
        const head = await ask(`${base}/text`, {}, 'HEAD')
        expect([head.status, head.body.length]).toEqual([200, 0])
        const get = await ask(`${base}/text`)
        expect(get.body.toString()).toBe(LONG)
        const { etag: _, ...known } = without(get)
        expect(without(head)).toMatchObject(known)
      })

      test('has the application see the client that the proxy names, under its mount', async () => {
        const { body } = await ask(`${base}/facts`, {
          'X-Forwarded-For': '6.6.6.6, 192.0.2.1',
          'X-Forwarded-Host': 'shop.example',
          'X-Request-ID': 'forged',
        })
        expect(JSON.parse(body.toString())).toMatchObject({
          REMOTE_ADDR: '192.0.2.1',
          HTTP_HOST: 'shop.example',
          SCRIPT_NAME: base,
          PATH_INFO: '/facts',
          HTTP_X_REQUEST_ID: expect.stringMatching(/^[0-9a-f-]{36}$/),
        })
      })

      test('refuses a body that is too large, declared or not, and takes one that is not', async () => {
        const pieces = (size: number) => [Buffer.alloc(size / 2), Buffer.alloc(size / 2)]
        for (const headers of [
          { 'Content-Length': '10002' },
          { 'Transfer-Encoding': 'chunked' },
        ] as Record<string, string>[])
          expect((await ask(`${base}/length`, headers, 'POST', pieces(10_002))).status).toBe(413)
        for (const headers of [
          { 'Content-Length': '10000' },
          { 'Transfer-Encoding': 'chunked' },
        ] as Record<string, string>[])
          expect(
            (await ask(`${base}/length`, headers, 'POST', pieces(10_000))).body.toString(),
          ).toBe('10000')
      })

      test('answers for an error without giving it away', async () => {
        const { status, headers, body } = await ask(`${base}/boom`, { Accept: 'application/json' })
        expect([status, headers['content-type']]).toEqual([500, 'application/json'])
        expect(JSON.parse(body.toString())).toEqual({ status: 500, error: 'Internal Server Error' })
      })

      test('answers 504 for an application that is too slow', async () => {
        const { status, body } = await ask(`${base}/late`)
        expect([status, body.toString()]).toEqual([504, '504 Gateway Timeout\n'])
      })

      test('closes a body, once, whose client has gone', async () => {
        const count = () => lines('events').filter((line) => line === `closed ${guest}`).length
        const before = count()
        const client = await RawConnection.open({ port: server.port })
        await client.send(
          `GET ${base}/endless HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n`,
        )
        const head = await client.readResponse('GET', { bodyless: true })
        expect(head.header('content-encoding')).toBe('gzip')
        client.reset()
        await waitFor('close()', () => count() > before)
        await waitFor('the line of the log', () =>
          lines('access').some(
            (line) => line.includes(`${base}/endless`) && line.endsWith(' aborted'),
          ),
        )
        await ask(`${base}/facts`)
        expect(count()).toBe(before + 1)
      })
    })

    test('ranges of a file are not compressed', async () => {
      const headers = { 'Accept-Encoding': 'gzip', Range: 'bytes=0-16' }
      const part = await ask(`${order}/files/lines.txt`, headers)
      expect([part.status, part.body.toString()]).toEqual([206, 'a line of a file\n'])
      const whole = await ask(`${order}/files/lines.txt`, { 'Accept-Encoding': 'gzip' })
      expect([whole.status, gunzipSync(whole.body).length]).toEqual([200, 40_000])
    })
  })
})

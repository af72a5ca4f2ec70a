import { request } from 'node:http'
import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { appsDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, runCommandHere, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

describe.skipIf(!hasPython())('--compress', () => {
  let server: RunningServer
  beforeAll(async () => {
    const args = ['--compress', '--compress-level', 'gzip=9', '--cache', '4M', '--threads', '4']
    server = await startServer({ app: 'cached:app', args, cwd: appsDirectory })
  })

  /** The response as it comes, piece by piece. */
  function get(path: string, encoding: string, method = 'GET') {
    const result = {
      headers: {} as NodeJS.Dict<string | string[]>,
      body: Buffer.alloc(0),
      ended: false,
    }
    const sent = request(
      `${server.url}${path}`,
      { method, headers: { 'Accept-Encoding': encoding } },
      (response) => {
        result.headers = response.headers
        response.on('data', (chunk: Buffer) => {
          result.body = Buffer.concat([result.body, chunk])
        })
        response.on('end', () => {
          result.ended = true
        })
      },
    )
    sent.end()
    return result
  }

  async function whole(path: string, encoding: string, method = 'GET') {
    const result = get(path, encoding, method)
    await waitFor('the response', () => result.ended)
    return result
  }

  test.each([
    ['gzip', gunzipSync],
    ['br', brotliDecompressSync],
  ])('compresses what the application sends, with %s', async (encoding, decompress) => {
    const plain = await whole('/text', 'identity')
    expect(plain.headers.vary).toBe('Accept-Encoding')
    const { headers, body } = await whole('/text', encoding)
    expect(headers['content-encoding']).toBe(encoding)
    expect(headers.vary).toBe('Accept-Encoding')
    expect(body.length * 5).toBeLessThan(plain.body.length)
    const text = (bytes: Buffer) => bytes.toString().replace(/answer \d+/, '')
    expect(text(decompress(body))).toBe(text(plain.body))
  })

  test('a stream arrives as it is made', async () => {
    const stream = get('/slow', 'gzip')
    const soFar = () => gunzipSync(stream.body, { finishFlush: constants.Z_SYNC_FLUSH }).toString()
    await waitFor('the first piece', () => stream.body.length > 0 && soFar() === 'begun ')
    expect(stream.ended).toBe(false)
    await waitFor('the end', () => stream.ended)
    expect(gunzipSync(stream.body).toString()).toMatch(/^begun answer \d+\n$/)
  })

  test('the cache keeps what is compressed', async () => {
    const path = '/text?max-age=60'
    const first = await whole(path, 'gzip, deflate')
    const second = await whole(path, 'deflate, gzip;q=0.5')
    expect(second.headers['cache-status']).toMatch(/^monoceros; hit/)
    expect(second.body).toEqual(first.body)
    const other = await whole(path, 'br')
    expect(other.headers['cache-status']).toMatch(/fwd=vary-miss; stored/)
    expect(other.headers['content-encoding']).toBe('br')
    const head = await whole(path, 'br', 'HEAD')
    expect(head.headers['content-encoding']).toBe('br')
    expect(head.body.length).toBe(0)
  })

  test('a wrong level is refused in one line', async () => {
    const { code, stderr } = await runCommandHere(['--compress-level', 'br=12', 'cached:app'], {
      cwd: appsDirectory,
    })
    expect(code).toBe(2)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain('br=0 to br=11')
  })
})

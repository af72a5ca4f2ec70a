import { createServer, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RawConnection } from './raw-client.ts'

/** A server that answers every connection as told. */
async function answering(serve: (socket: Socket) => void): Promise<RawConnection> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || !address) throw new Error('no address')
  return RawConnection.open({ port: address.port })
}

const saying = (text: string, end = true) =>
  answering((socket) => {
    socket.write(Buffer.from(text, 'latin1'))
    if (end) socket.end()
  })

describe('the raw client', () => {
  test('reads pipelined responses one by one, each to the end of its framing', async () => {
    const connection = await saying(
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc' +
        'HTTP/1.1 204 No Content\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n' +
        'HTTP/1.1 200 OK\r\n\r\nrest',
    )
    expect(await connection.readResponse()).toMatchObject({
      framing: 'length',
      text: 'abc',
      complete: true,
    })
    expect(await connection.readResponse()).toMatchObject({
      status: 204,
      framing: 'none',
      text: '',
    })
    const chunked = await connection.readResponse()
    expect(chunked).toMatchObject({ framing: 'chunked', text: 'def', complete: true })
    expect(chunked.chunks.map(String)).toEqual(['de', 'f'])
    expect(await connection.readResponse()).toMatchObject({
      framing: 'close',
      text: 'rest',
      complete: true,
    })
    expect(await connection.expectEnd()).toBe('closed')
  })

  test('a body that is cut off is reported as not complete', async () => {
    const sized = await saying('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab')
    expect(await sized.readResponse()).toMatchObject({ text: 'ab', complete: false })
    const chunked = await saying('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n')
    expect(await chunked.readResponse()).toMatchObject({ text: 'de', complete: false })
  })

  test('a reset is told from a close', async () => {
    const connection = await answering((socket) =>
      socket.once('data', () => socket.resetAndDestroy()),
    )
    await connection.send('x')
    expect(await connection.expectEnd()).toBe('reset')
  })

  test.each([
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n'],
    ['an unknown version', 'HTTP/1.2 200 OK\r\n\r\n'],
    [
      'length and chunked together',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
    [
      'a chunk size with a sign',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n',
    ],
    [
      'a chunk without its CRLF',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
    ],
    ['no response at all', ''],
  ])('%s in a response is an error', async (_, text) => {
    const connection = await saying(text)
    await expect(connection.readResponse()).rejects.toThrow()
  })

  test('a response that does not come is an error within the timeout', async () => {
    const connection = await saying('HTTP/1.1 200 OK\r\n', false)
    connection.timeout = 50
    await expect(connection.readResponse()).rejects.toThrow(/waited 50 ms in vain for a response/)
  })

  test('sendSplit and drip deliver the bytes unchanged', async () => {
    const connection = await answering((socket) => {
      const received: Buffer[] = []
      socket.on('data', (data) => received.push(data))
      socket.on('end', () => {
        const body = Buffer.concat(received)
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      })
    })
    await connection.sendSplit('abcdef', [1, 4])
    await connection.drip('ghi', 1)
    connection.halfClose()
    expect((await connection.readResponse()).text).toBe('abcdefghi')
  })
})

import { createCipheriv, createHmac } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { onTestFinished } from 'vitest'

// A client that makes an honest handshake, and then sends records that no library sends.

const HANDSHAKE = 22
const APPLICATION_DATA = 23
const TAG = 16

/**
 * A client that reads nothing any more once it has sent its last message of the handshake. The
 * server finishes it, and has more to say.
 */
export async function deafClient(port: number, version: 'TLSv1.2' | 'TLSv1.3'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => void socket.destroy())
  await new Promise<void>((resolve, reject) => {
    let flights = 0
    const below = new Duplex({
      read: () => {},
      write(chunk: Buffer, _encoding, done) {
        if (++flights === 2) socket.off('data', read).pause()
        socket.write(chunk, () => {
          done()
          if (flights === 2) resolve()
        })
      },
    })
    const read = (chunk: Buffer) => void below.push(chunk)
    socket.on('data', read).on('error', reject)
    const versions = { minVersion: version, maxVersion: version }
    connectTls({ socket: below, rejectUnauthorized: false, ...versions }).on('error', () => {})
  })
  return socket
}

/** A connection whose handshake is over, and how the client makes its next record. */
export interface RecordClient {
  /** TCP. Nothing is read from it. */
  readonly socket: Socket
  /** The next record of the client, encrypted. */
  data(text: string): Buffer
  /** A message that the client may send only in its handshake, or rarely. */
  attack(): Buffer
}

/**
 * A client of TLS 1.3. Its attack is a KeyUpdate that wants one back (RFC 8446 §4.6.3): of 27
 * bytes, as is the answer.
 */
export async function keyUpdateClient(port: number, alpn = 'http/1.1'): Promise<RecordClient> {
  const { socket, keys } = await handshake(port, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', alpn)
  let secret = keys.get('CLIENT_TRAFFIC_SECRET_0')!.secret
  let sequence = 0n
  const record = (type: number, content: Buffer) => {
    const key = expandLabel(secret, 'key', 16)
    const nonce = expandLabel(secret, 'iv', 12)
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ sequence++, 4)
    const header = headerOf(APPLICATION_DATA, content.length + 1 + TAG)
    const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(header)
    const sealed = [cipher.update(Buffer.from([...content, type])), cipher.final()]
    return Buffer.concat([header, ...sealed, cipher.getAuthTag()])
  }
  return {
    socket,
    data: (text) => record(APPLICATION_DATA, Buffer.from(text)),
    attack() {
      const update = record(HANDSHAKE, Buffer.from([24, 0, 0, 1, 1]))
      secret = expandLabel(secret, 'traffic upd', 32)
      sequence = 0n
      return update
    },
  }
}

/** A client of TLS 1.2. Its attack is a ClientHello, which asks for another handshake. */
export async function renegotiatingClient(port: number): Promise<RecordClient> {
  const cipher = 'ECDHE-ECDSA-AES128-GCM-SHA256'
  const { socket, keys, received, sent } = await handshake(port, 'TLSv1.2', cipher)
  const { random, secret } = keys.get('CLIENT_RANDOM')!
  // Type and length of the message, and the version, come before the random bytes.
  const seed = Buffer.concat([Buffer.from('key expansion'), received.subarray(11, 43), random])
  let hashed: Buffer = seed
  let block: Buffer = Buffer.alloc(0)
  while (block.length < 40) {
    hashed = hmac(secret, hashed)
    block = Buffer.concat([block, hmac(secret, Buffer.concat([hashed, seed]))])
  }
  const key = block.subarray(0, 16)
  const salt = block.subarray(32, 36)
  // Its Finished was the first.
  let sequence = 1n
  const record = (type: number, content: Buffer) => {
    const explicit = Buffer.alloc(8)
    explicit.writeBigUInt64BE(sequence++)
    const aad = Buffer.concat([explicit, headerOf(type, content.length)])
    const gcm = createCipheriv('aes-128-gcm', key, Buffer.concat([salt, explicit])).setAAD(aad)
    const sealed = [gcm.update(content), gcm.final(), gcm.getAuthTag()]
    return Buffer.concat([headerOf(type, 8 + content.length + TAG), explicit, ...sealed])
  }
  const hello = sent.subarray(5, 5 + sent.readUInt16BE(3))
  return {
    socket,
    data: (text) => record(APPLICATION_DATA, Buffer.from(text)),
    attack: () => record(HANDSHAKE, hello),
  }
}

/** Makes a handshake, and takes the socket from the library. */
async function handshake(
  port: number,
  version: 'TLSv1.2' | 'TLSv1.3',
  ciphers: string,
  alpn = 'http/1.1',
) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => void socket.destroy())
  const keys = new Map<string, { random: Buffer; secret: Buffer }>()
  const sent: Buffer[] = []
  const received: Buffer[] = []
  const below = new Duplex({
    read: () => {},
    write(chunk: Buffer, _encoding, done) {
      sent.push(chunk)
      socket.write(chunk, () => done())
    },
  })
  const read = (chunk: Buffer) => {
    received.push(chunk)
    below.push(chunk)
  }
  socket.on('data', read)
  const secure = connectTls({
    socket: below,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ciphers,
    ALPNProtocols: [alpn],
  })
  secure.on('keylog', (line) => {
    const [label = '', random = '', secret = ''] = line.toString().trim().split(' ')
    keys.set(label, { random: Buffer.from(random, 'hex'), secret: Buffer.from(secret, 'hex') })
  })
  await once(secure, 'secureConnect')
  socket.off('data', read)
  socket.pause()
  socket.on('error', () => {})
  return { socket, keys, sent: Buffer.concat(sent), received: Buffer.concat(received) }
}

function headerOf(type: number, length: number): Buffer {
  return Buffer.from([type, 3, 3, length >> 8, length & 255])
}

/** RFC 8446 §7.1, for at most 32 bytes. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`)
  const info = [Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]
  return hmac(secret, Buffer.concat(info)).subarray(0, length)
}

function hmac(key: Buffer, data: Buffer): Buffer {
  return createHmac('sha256', key).update(data).digest()
}

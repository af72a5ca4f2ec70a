/** RFC 8446 §5.1 and §4: what is in front of a ClientHello in its record. */
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4
const CLIENT_HELLO = 1
/** RFC 8446 §4.1.2: the version and the random value. */
const VERSION_AND_RANDOM = 34
/** RFC 6066 §3: the number of the extension, and of the only type of name. */
const SERVER_NAME = 0
const HOST_NAME = 0

/**
 * The host that a client asks for (SNI, RFC 6066 §3), from its first record. OpenSSL reads it again
 * and refuses what is malformed; this chooses a certificate, and no more.
 *
 * @param record a whole record of a handshake; more may follow
 * @returns the name as it was sent; null if the client names none; undefined if that cannot be
 *   told, because the ClientHello goes on in another record or is malformed
 */
export function serverNameOf(record: Buffer): string | null | undefined {
  const hello = clientHello(record)
  if (hello === undefined) return undefined
  // The session, the ciphers and the ways to compress.
  let at = VERSION_AND_RANDOM
  for (const size of [1, 2, 1]) {
    const length = numberAt(hello, at, size)
    if (length === undefined) return undefined
    at += size + length
  }
  if (at === hello.length) return null
  const extensions = vectorAt(hello, at)
  return extensions === undefined ? undefined : nameIn(extensions)
}

/** The ClientHello, if all of it is in this record. */
function clientHello(record: Buffer): Buffer | undefined {
  if (record.length < RECORD_HEADER) return undefined
  const content = vectorAt(record, 3)
  if (content === undefined || content[0] !== CLIENT_HELLO) return undefined
  const length = numberAt(content, 1, 3)
  const end = MESSAGE_HEADER + (length ?? 0)
  if (length === undefined || end > content.length) return undefined
  return content.subarray(MESSAGE_HEADER, end)
}

function nameIn(extensions: Buffer): string | null | undefined {
  let at = 0
  while (at < extensions.length) {
    const type = numberAt(extensions, at, 2)
    const data = vectorAt(extensions, at + 2)
    if (type === undefined || data === undefined) return undefined
    if (type === SERVER_NAME) {
      const names = vectorAt(data, 0)
      if (names?.[0] !== HOST_NAME) return undefined
      return vectorAt(names, 1)?.toString('latin1')
    }
    at += 4 + data.length
  }
  return null
}

/** What follows its own length, which has two bytes. */
function vectorAt(bytes: Buffer, at: number): Buffer | undefined {
  const length = numberAt(bytes, at, 2)
  if (length === undefined || at + 2 + length > bytes.length) return undefined
  return bytes.subarray(at + 2, at + 2 + length)
}

function numberAt(bytes: Buffer, at: number, size: number): number | undefined {
  return at + size > bytes.length ? undefined : bytes.readUIntBE(at, size)
}

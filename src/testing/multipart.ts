import type { Bytes } from '../wsgi/types.ts'
import { isList } from './list.ts'
import { TestClientError } from './test-client-error.ts'

/** A file of a multipart form. */
export interface TestFile {
  filename: string
  /** The media type. Defaults to `application/octet-stream`. */
  type?: string
  content: string | Uint8Array
}

/** A field or a file of a multipart form, for forms whose order matters. */
export type TestPart =
  | { name: string; value: string | number | boolean }
  | ({ name: string } & TestFile)

type Values<T> = T | readonly T[]

/**
 * The content of a multipart form: fields and files by name, with lists for repeated names, or a
 * list of parts.
 *
 * @example
 * const form: MultipartForm = {
 *   title: 'Holiday',
 *   photo: { filename: 'beach.jpg', type: 'image/jpeg', content: bytes },
 * }
 */
export type MultipartForm =
  | Readonly<Record<string, Values<string | number | boolean | TestFile>>>
  | readonly TestPart[]

const encoder = new TextEncoder()

/**
 * Encodes a form as `multipart/form-data` (RFC 7578). Names and file names are in UTF-8, escaped
 * like in browsers.
 *
 * @throws TestClientError (`bad-option`) for a type of a file that cannot be sent
 */
export function encodeMultipart(form: MultipartForm): { type: string; bytes: Bytes } {
  const boundary = `----monoceros${crypto.randomUUID().replaceAll('-', '')}`
  const pieces: Uint8Array[] = []
  for (const part of partsOf(form)) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(part.name)}"`
    if ('filename' in part) {
      const type = part.type ?? 'application/octet-stream'
      if (!/^[\x20-\x7e]+$/.test(type)) {
        throw new TestClientError(
          'bad-option',
          `multipart: ${JSON.stringify(type)} cannot be the type of the file ` +
            `${JSON.stringify(part.filename)}; write a media type such as "image/png"`,
        )
      }
      head += `; filename="${escapeName(part.filename)}"\r\nContent-Type: ${type}`
    }
    const content = 'filename' in part ? part.content : String(part.value)
    pieces.push(encoder.encode(`${head}\r\n\r\n`))
    pieces.push(typeof content === 'string' ? encoder.encode(content) : content)
    pieces.push(encoder.encode('\r\n'))
  }
  pieces.push(encoder.encode(`--${boundary}--\r\n`))
  return { type: `multipart/form-data; boundary=${boundary}`, bytes: joinBytes(pieces) }
}

function partsOf(form: MultipartForm): TestPart[] {
  if (isList(form)) return [...form]
  return Object.entries(form).flatMap(([name, values]) => {
    const list = isList(values) ? values : [values]
    return list.map((value): TestPart => {
      return typeof value === 'object' ? { name, ...value } : { name, value }
    })
  })
}

function escapeName(name: string): string {
  return name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22')
}

/** Joins pieces of bytes. */
export function joinBytes(pieces: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

import type { Reading, ReadRequest } from './reading.ts'

/**
 * What the standard has a recipient accept and llhttp in strict mode refuses (Node 20; newer ones
 * are laxer here and there). For each there is a plainer way to say the same, which llhttp reads:
 * {@link canonical} rewrites a connection to it, by a reading of its own that knows nothing of our
 * parser's.
 */
export const EXCEPTIONS: readonly { what: string; why: string; example: string }[] = [
  {
    what: 'a later HTTP/1.x',
    why: 'RFC 9110 §2.5: it is processed as the highest minor version that the recipient knows',
    example: 'POST / HTTP/1.2\r\nHost: a\r\nContent-Length: 1\r\n\r\nz',
  },
  {
    what: 'bytes from 0x80 on in a target',
    why: 'browsers and curl send them for text that they do not escape; they separate nothing',
    example: 'POST /caf\xc3\xa9?\xe9 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nz',
  },
  {
    what: 'a tab behind "chunked"',
    why:
      'RFC 9110 §5.5: white space around a field value (OWS) is no part of it, and a tab is ' +
      'white space',
    example:
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \t\r\n\r\n1\r\nz\r\n0\r\n\r\n',
  },
  {
    what: 'white space around the ";" and "=" of chunk extensions',
    why: 'RFC 9112 §7.1.1, RFC 9110 §5.6.3: a recipient MUST parse BWS and remove it',
    example:
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 ; a = "b;" ;c\r\n' +
      'z\r\n0\t;d\r\n\r\n',
  },
  {
    what: 'trailer fields that must not be there',
    why:
      'RFC 9110 §6.5.1: a recipient that ignores them MUST NOT merge them, and is otherwise ' +
      'free',
    example:
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n' +
      'Content-Length: 9\r\nConnection: close\r\n\r\n',
  },
]

/** The trailer fields that llhttp acts upon, as it does in a head. */
const ACTED_UPON = /^(?:content-length|transfer-encoding|connection|proxy-connection|upgrade)$/i

const BWS = '[ \\t]*'
const TOKEN = "[-!#$%&'*+.^_`|~0-9A-Za-z]+"
const QUOTED = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~\\x80-\\xff])*"'
const EXTENSION = `${BWS};${BWS}(${TOKEN})(?:${BWS}=${BWS}(${TOKEN}|${QUOTED}))?`
const SIZE_LINE = new RegExp(`^([0-9A-Fa-f]+)((?:${EXTENSION})*)\\r\\n`)

/**
 * The same connection without any of the {@link EXCEPTIONS}.
 *
 * @returns its bytes, or what our parser read differently from the rules here
 */
export function canonical(bytes: Buffer, { requests, refusal }: Reading): Buffer | string {
  const text = bytes.toString('latin1')
  const parts: string[] = []
  let at = 0
  for (const [index, request] of requests.entries()) {
    const rewritten = canonicalRequest(text, at, request)
    if (refusal !== null && !request.complete) {
      // Ours refused within its body, and may be stricter than the rules here.
      return Buffer.from(parts.join('') + rewritten.text, 'latin1')
    }
    if (rewritten.wrong !== undefined)
      return `request ${index} was taken though it has ${rewritten.wrong}`
    if (
      request.complete !== rewritten.complete ||
      (request.complete && request.end !== rewritten.end)
    ) {
      return (
        `request ${index} ends at ${request.end}, by the rules at ` +
        `${rewritten.complete ? rewritten.end : 'no byte yet'}`
      )
    }
    parts.push(rewritten.text)
    at = rewritten.end
  }
  parts.push(text.slice(at))
  return Buffer.from(parts.join(''), 'latin1')
}

/** What is the same of a request and of its canonical form. */
export function essence(request: ReadRequest): object {
  const {
    method,
    minorVersion,
    fields,
    contentLength,
    chunked,
    keepAlive,
    upgrade,
    body,
    complete,
  } = request
  const { target, path, query, authority } = request
  const plain = [target, path, query ?? 'none', authority].map(plainTarget)
  return {
    method,
    plain,
    minorVersion,
    fields,
    contentLength,
    chunked,
    keepAlive,
    upgrade,
    body,
    complete,
  }
}

function plainTarget(target: string): string {
  return target.replace(/[\x80-\xff]/g, '~')
}

interface Rewritten {
  text: string
  end: number
  complete: boolean
  /** What breaks the rules; from there on the text is as it was. */
  wrong?: string
}

/** One request whose head is complete. */
function canonicalRequest(text: string, start: number, request: ReadRequest): Rewritten {
  const headEnd = text.indexOf('\r\n\r\n', text.startsWith('\r\n', start) ? start + 2 : start) + 4
  const head = text
    .slice(start, headEnd)
    .replace(/^(?:\r\n)?[^\r]*/, (line) =>
      plainTarget(line).replace(/ HTTP\/1\.[2-9]$/, ' HTTP/1.1'),
    )
    .replace(
      /(\r\ntransfer-encoding:[^\r\n]*?chunked)([ \t]+)(?=\r\n)/gi,
      (_, before: string) => before,
    )
  const { method, chunked, contentLength } = request
  if (chunked && method !== 'CONNECT') {
    const body = canonicalChunks(text, headEnd)
    return { ...body, text: head + body.text }
  }
  const length = method === 'CONNECT' ? 0 : Math.max(contentLength, 0)
  const end = Math.min(headEnd + length, text.length)
  // A CONNECT has no body, whatever it says; ours reads one that it has no use for as soon as it
  // has the head.
  const complete = method === 'CONNECT' ? request.complete : end === headEnd + length
  return { text: head + text.slice(headEnd, end), end, complete }
}

/** RFC 9112 §7.1, by regular expressions over the whole text. */
function canonicalChunks(text: string, start: number): Rewritten {
  let out = ''
  for (let at = start; ; ) {
    const line = SIZE_LINE.exec(text.slice(at))
    if (line === null) return unfinished(text, at, out, 'a bad chunk size or extension')
    const extensions = line[2]!.replace(
      new RegExp(EXTENSION, 'g'),
      (_, name: string, value?: string) => (value === undefined ? `;${name}` : `;${name}=${value}`),
    )
    out += `${line[1]}${extensions}\r\n`
    at += line[0].length
    const size = Number.parseInt(line[1]!, 16)
    if (size === 0) return canonicalTrailers(text, at, out)
    out += text.slice(at, at + size)
    at += size
    if (at >= text.length) return { text: out, end: text.length, complete: false }
    if (!'\r\n'.startsWith(text.slice(at, at + 2)))
      return unfinished(text, at, out, 'a chunk without its end')
    out += text.slice(at, at + 2)
    at += 2
  }
}

function canonicalTrailers(text: string, start: number, before: string): Rewritten {
  let out = before
  for (let at = start; ; ) {
    if (text.startsWith('\r\n', at)) return { text: `${out}\r\n`, end: at + 2, complete: true }
    const line = /^([^\r\n:]*):[^\r\n]*\r\n/.exec(text.slice(at))
    if (line === null) return unfinished(text, at, out, 'a bad trailer field')
    const name = line[1]!
    out += (ACTED_UPON.test(name) ? 'x'.repeat(name.length) : name) + line[0].slice(name.length)
    at += line[0].length
  }
}

/** A line without its end yet is left out; it has not been accepted. */
function unfinished(text: string, at: number, out: string, wrong: string): Rewritten {
  if (text.indexOf('\r\n', at) < 0) return { text: out, end: text.length, complete: false }
  return { text: out + text.slice(at), end: text.length, complete: false, wrong }
}

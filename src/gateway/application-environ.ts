import type { FieldName } from '../http/field-names.ts'
import { CONTENT_LENGTH, CONTENT_TYPE, HOST } from '../http/field-names.ts'
import type { RequestHead } from '../http/request-head.ts'
import { decodePercentBytes, hasPercent } from '../semantics/percent.ts'
import { valueSeparator } from '../semantics/repeated-fields.ts'
import { environKey } from '../wsgi/environ.ts'
import { FileWrapper } from '../wsgi/file-wrapper.ts'
import type { ErrorStream, InputStream, WSGIEnvironment } from '../wsgi/types.ts'
import { type EnvironFacts, PROXY, serverAddress, startsWithPath } from './environ.ts'

/** What of an environ the server knows before any request. */
export interface ServerFacts {
  /** What `SCRIPT_NAME` is, `''` or a path such as `/shop`. */
  readonly rootPath: string
  readonly serverSoftware: string
  readonly multiprocess: boolean
  readonly errors: ErrorStream
}

const VERSION: readonly [1, 0] = [1, 0]
const NO_TARGET: Target = { bytes: Buffer.alloc(0), uri: '', path: '', query: '' }
const SLOTS = 64

/** What environs say of a target. */
interface Target {
  readonly bytes: Buffer
  readonly uri: string
  readonly path: string
  readonly query: string
}

/** What environs say of a connection. */
interface PeerStrings {
  readonly serverName: string
  readonly serverPort: string
  readonly remoteAddress: string
  readonly remotePort: string
}

/**
 * Makes environs for applications in this process, with the same variables that `EnvironWriter`
 * writes for Python ones (PEP 3333 "environ Variables", RFC 3875 §4.1).
 */
export class ApplicationEnvirons {
  readonly #server: ServerFacts
  readonly #rootPath: Buffer
  readonly #scriptName: string
  /**
   * The last target of each length, modulo the number of slots: most requests ask for one of few.
   */
  readonly #targets: Target[] = new Array(SLOTS).fill(NO_TARGET)

  constructor(server: ServerFacts) {
    this.#server = server
    this.#rootPath = Buffer.from(server.rootPath, 'utf8')
    this.#scriptName = this.#rootPath.toString('latin1')
  }

  make(facts: EnvironFacts, input: InputStream): WSGIEnvironment {
    const { head } = facts
    const server = this.#server
    const { uri, path, query } = this.#target(head)
    const peer = (facts.peer.environPart as PeerStrings | null) ?? peerStrings(facts)
    const environ: WSGIEnvironment = {
      REQUEST_METHOD: head.method,
      SCRIPT_NAME: this.#scriptName,
      PATH_INFO: path,
      QUERY_STRING: query,
      REQUEST_URI: uri,
      RAW_URI: uri,
      SERVER_NAME: peer.serverName,
      SERVER_PORT: peer.serverPort,
      SERVER_PROTOCOL: head.protocol,
      SERVER_SOFTWARE: server.serverSoftware,
      REMOTE_ADDR: peer.remoteAddress,
      REMOTE_PORT: peer.remotePort,
      'wsgi.version': VERSION,
      'wsgi.url_scheme': head.secure ? 'https' : 'http',
      'wsgi.input': input,
      'wsgi.errors': server.errors,
      'wsgi.multithread': false,
      'wsgi.multiprocess': server.multiprocess,
      'wsgi.run_once': false,
      'wsgi.input_terminated': true,
      'wsgi.file_wrapper': FileWrapper,
    }
    if (head.secure) environ.HTTPS = 'on'
    addFields(environ, head)
    return environ
  }

  #target(head: RequestHead): Target {
    const { bytes, targetStart, targetEnd } = head
    const length = targetEnd - targetStart
    const slot = length % SLOTS
    const known = this.#targets[slot]!
    if (known.bytes.length === length && head.targetForm === 'origin') {
      let i = 0
      while (i < length && bytes[targetStart + i] === known.bytes[i]) i++
      if (i === length) return known
    }
    const target = {
      bytes: Buffer.from(bytes.subarray(targetStart, targetEnd)),
      uri: head.target,
      path: this.#path(head),
      query: bytes.toString('latin1', head.queryStart, head.queryEnd),
    }
    // A long one would not come again, but stay.
    if (head.targetForm === 'origin' && length <= 1024) this.#targets[slot] = target
    return target
  }

  /** `PATH_INFO`. A proxy may or may not have taken the root path off; both kinds are met. */
  #path(head: RequestHead): string {
    let bytes: Buffer = head.bytes
    let from = head.pathStart
    let to = head.pathEnd
    if (head.targetForm === 'asterisk') return ''
    // RFC 9112 §3.2.4: an absolute-form target without a path means the server itself for OPTIONS;
    // else it is "/".
    if (from === to && head.method !== 'OPTIONS') return '/'
    if (hasPercent(bytes, from, to)) {
      const decoded = Buffer.alloc(to - from)
      to = decodePercentBytes(bytes, from, to, decoded)
      from = 0
      bytes = decoded
    }
    const root = this.#rootPath
    if (root.length !== 0 && startsWithPath(bytes, from, to, root)) from += root.length
    return bytes.toString('latin1', from, to)
  }
}

function addFields(environ: WSGIEnvironment, head: RequestHead): void {
  const { bytes, names, fieldCount } = head
  const { hasAuthority } = head
  for (let i = 0; i < fieldCount; i++) {
    const name = names[i]!
    // HTTP_PROXY would be taken for the variable that names a proxy for outgoing requests
    // ("httpoxy", CVE-2016-5385).
    if (name.id === PROXY || (hasAuthority && name.id === HOST)) continue
    const value = head.value(i)
    name.variable ??= environKey(name.lower)
    const key = name.variable as `HTTP_${string}`
    const before = environ[key]
    environ[key] =
      before === undefined || isOnce(name)
        ? value
        : `${before}${valueSeparator(name.lower)}${value}`
  }
  if (hasAuthority) {
    // RFC 9112 §3.2.2: the authority of the target stands for a Host field.
    environ.HTTP_HOST = bytes.toString('latin1', head.authorityStart, head.authorityEnd)
  }
}

/** The parser refuses a second one of these. */
function isOnce(name: FieldName): boolean {
  return name.id === HOST || name.id === CONTENT_LENGTH || name.id === CONTENT_TYPE
}

function peerStrings(facts: EnvironFacts): PeerStrings {
  const { peer } = facts
  const { name, port, own } = serverAddress(facts)
  const strings = {
    serverName: name,
    serverPort: port,
    remoteAddress: peer.remoteAddress,
    remotePort: peer.remoteAddress === '' ? '' : String(peer.remotePort),
  }
  if (own) peer.environPart = strings
  return strings
}

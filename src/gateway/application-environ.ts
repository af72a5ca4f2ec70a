import type { FieldName } from '../http/field-names.ts'
import { CONTENT_LENGTH, CONTENT_TYPE, HOST } from '../http/field-names.ts'
import { PathInfo } from '../http/path-info.ts'
import type { RequestHead } from '../http/request-head.ts'
import { valueSeparator } from '../semantics/repeated-fields.ts'
import { environKey } from '../wsgi/environ.ts'
import { FileWrapper } from '../wsgi/file-wrapper.ts'
import type { EarlyHints, ErrorStream, InputStream, WSGIEnvironment } from '../wsgi/types.ts'
import { type EnvironFacts, isHidden, type PeerVariables, peerVariables } from './environ-facts.ts'

/** The variables of an environ that do not depend on the request. */
export interface ServerFacts {
  /** What `SCRIPT_NAME` is: `''`, or a path such as `/shop`. */
  readonly rootPath: string
  readonly serverSoftware: string
  readonly multiprocess: boolean
  readonly errors: ErrorStream
}

const VERSION: readonly [1, 0] = [1, 0]
const NO_TARGET: Target = { bytes: Buffer.alloc(0), uri: '', path: '', query: '' }
const SLOTS = 64

/** The variables that depend on the request's target. */
interface Target {
  readonly bytes: Buffer
  readonly uri: string
  readonly path: string
  readonly query: string
}

/**
 * Makes environs for applications in this process, with the same variables that
 * `EnvironWriter` writes for workers (PEP 3333 "environ Variables", RFC 3875 §4.1).
 */
export class ApplicationEnvirons {
  readonly #server: ServerFacts
  readonly #pathInfo: PathInfo
  readonly #scriptName: string
  /**
   * The last target of each length, modulo the number of slots: most requests have one of a few
   * targets.
   */
  readonly #targets: Target[] = new Array(SLOTS).fill(NO_TARGET)

  constructor(server: ServerFacts) {
    this.#server = server
    const rootPath = Buffer.from(server.rootPath, 'utf8')
    this.#pathInfo = new PathInfo(rootPath)
    this.#scriptName = rootPath.toString('latin1')
  }

  make(facts: EnvironFacts, input: InputStream, earlyHints: EarlyHints): WSGIEnvironment {
    const { head } = facts
    const server = this.#server
    const { uri, path, query } = this.#target(head)
    const peer = (facts.peer.environPart as PeerVariables | null) ?? peerOf(facts)
    const environ: WSGIEnvironment = {
      REQUEST_METHOD: head.method,
      SCRIPT_NAME: head.scriptName ?? this.#scriptName,
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
      'wsgi.early_hints': earlyHints,
    }
    if (head.secure) environ.HTTPS = 'on'
    if (facts.peer.proxied) Object.assign(environ, peer.proxied)
    if (peer.ssl.length > 0) for (const [name, value] of peer.ssl) environ[name] = value
    addFields(environ, head)
    return environ
  }

  #target(head: RequestHead): Target {
    const { bytes, targetStart, targetEnd } = head
    const length = targetEnd - targetStart
    const slot = length % SLOTS
    const known = this.#targets[slot]!
    if (known.bytes.length === length && isUsual(head)) {
      let i = 0
      while (i < length && bytes[targetStart + i] === known.bytes[i]) i++
      if (i === length) return known
    }
    const target = {
      bytes: Buffer.from(bytes.subarray(targetStart, targetEnd)),
      uri: head.target,
      path: this.#pathInfo.of(head).latin1(),
      query: bytes.toString('latin1', head.queryStart, head.queryEnd),
    }
    // A long target is unlikely to come again, and would be kept.
    if (isUsual(head) && length <= 1024) this.#targets[slot] = target
    return target
  }
}

/** Whether the path depends on the bytes of the target alone. */
function isUsual({ targetForm, scriptName }: RequestHead): boolean {
  return targetForm === 'origin' && scriptName === null
}

function addFields(environ: WSGIEnvironment, head: RequestHead): void {
  const { bytes, names, fieldCount } = head
  for (let i = 0; i < fieldCount; i++) {
    const name = names[i]!
    if (isHidden(name, head)) continue
    const value = head.value(i)
    name.variable ??= environKey(name.lower)
    const key = name.variable as `HTTP_${string}`
    const before = environ[key]
    environ[key] =
      before === undefined || isOnce(name)
        ? value
        : `${before}${valueSeparator(name.lower)}${value}`
  }
  if (head.hasAuthority) {
    environ.HTTP_HOST = bytes.toString('latin1', head.authorityStart, head.authorityEnd)
  }
}

/** The parser refuses a second field of these names. */
function isOnce(name: FieldName): boolean {
  return name.id === HOST || name.id === CONTENT_LENGTH || name.id === CONTENT_TYPE
}

function peerOf(facts: EnvironFacts): PeerVariables {
  const variables = peerVariables(facts)
  if (variables.constant) facts.peer.environPart = variables
  return variables
}

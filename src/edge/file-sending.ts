import { Span } from '../bytes/span.ts'
import { acceptedEncodings } from '../content-coding/accepted-encodings.ts'
import { type FileField, type FileRequestFields, fileAnswer } from '../files/file-answer.ts'
import { EXTENSIONS } from '../files/file-facts.ts'
import type { StoredPath } from '../files/file-store.ts'
import { FileTransfer } from '../files/file-transfer.ts'
import type { Segment } from '../files/range-content.ts'
import { HEADROOM, type StoredFile } from '../files/stored-file.ts'
import type { Reply } from '../http/exchange.ts'
import { WELL_KNOWN_NAMES } from '../http/field-names.ts'
import type { RequestHead } from '../http/request-head.ts'
import { type Field, type ResponseHead, responseHead } from '../http/response-head.ts'
import type { MemoryBudget } from '../spool/memory-budget.ts'
import { PiecePool } from '../spool/piece-pool.ts'

/** Bodies of up to this many bytes are given to the engine at once, with their head. */
const AT_ONCE = 64 * 1024
const CODINGS = Object.keys(EXTENSIONS)
const NOSNIFF: Field = ['X-Content-Type-Options', 'nosniff']
const EMPTY_BODY = new Span()
/** Points at the bytes that are given to the engine; all responses share it. */
const PIECE = new Span()

/** Bits of {@link MATTERS}. */
const CONDITION = 1
const CODING = 2
/** Which fields of a request matter for a file, by the id of their names. */
const MATTERS = Uint8Array.from(WELL_KNOWN_NAMES, (name) => {
  if (name === 'accept-encoding') return CODING
  return name.startsWith('if-') || name === 'range' ? CONDITION : 0
})

/** The head of the answer with a whole file, which is made once. */
class PreparedHead {
  readonly fields: readonly FileField[]
  readonly head: ResponseHead

  constructor(fields: readonly FileField[], size: number) {
    this.fields = fields
    this.head = responseHead(200, [...fields, ['Content-Length', String(size)]], size)
  }
}

/** What the fields of the answer with a file depend on, beside the file. */
export interface FileFields {
  /** The value of Cache-Control for a file, or null for none. */
  cacheControl(path: StoredPath): string | null
}

/**
 * Sends a file as the answer to a request: whole or in parts, or says that the client has it
 * already. Call {@link written} and {@link close} for what happens to the exchange.
 */
export class FileSending {
  readonly #head: RequestHead
  readonly #reply: Reply
  readonly #memory: MemoryBudget
  /** Takes the reason why a file could not be sent to its end. */
  readonly #failed: (file: StoredFile, reason: string) => void
  #transfer: FileTransfer | null = null
  #file: StoredFile | null = null

  constructor(
    head: RequestHead,
    reply: Reply,
    memory: MemoryBudget,
    failed: (file: StoredFile, reason: string) => void,
  ) {
    this.#head = head
    this.#reply = reply
    this.#memory = memory
    this.#failed = failed
  }

  /** Answers a GET or HEAD with the file at a path, by its own facts. */
  send(path: StoredPath, facts: FileFields): void {
    const matters = fieldsThatMatter(this.#head)
    const file =
      path.files.length > 1 && (matters & CODING) !== 0
        ? chosenFile(path, this.#head)
        : path.files[0]!
    const known = file.prepared
    const prepared =
      known instanceof PreparedHead ? known : preparedHead(path, file, facts.cacheControl(path))
    file.prepared = prepared
    if ((matters & CONDITION) === 0) this.#sendWhole(file, prepared.head)
    else this.#sendAsked(file, [...prepared.fields])
  }

  /**
   * Answers with a file and the fields of another response, which refers to it.
   *
   * @param status of that response; only with 200, and to GET or HEAD, the request may be
   * conditional or ask for ranges
   * @param fields without those that describe a body
   */
  sendFor(file: StoredFile, status: number, reason: string, fields: FileField[]): void {
    const { method } = this.#head
    const conditional = status === 200 && (method === 'GET' || method === 'HEAD')
    if (conditional && (fieldsThatMatter(this.#head) & CONDITION) !== 0)
      return this.#sendAsked(file, fields)
    fields.push(['Content-Length', String(file.size)])
    this.#sendWhole(file, responseHead(status, fields, file.size, reason))
  }

  #sendWhole(file: StoredFile, head: ResponseHead): void {
    const { memory, size } = file
    if (this.#head.method === 'HEAD') {
      this.#reply.respond(head, EMPTY_BODY)
      return
    }
    if (memory === null || size > AT_ONCE) return this.#start(file, head, [wholeOf(file)])
    // The head is written in front of the content, unless an earlier response is still there.
    const span = PIECE.set(memory, HEADROOM, memory.length)
    if (file.headroomFree) span.free = 0
    if (this.#reply.respond(head, span)) file.headroomFree = false
    PIECE.clear()
  }

  #sendAsked(file: StoredFile, fields: FileField[]): void {
    const answer = fileAnswer(this.#head.method, requestFields(this.#head), file.size, fields)
    if (answer.status === 412) return this.#reply.refuse(412, { fields: [NOSNIFF] })
    if (answer.status === 416) {
      const range: Field = ['Content-Range', answer.contentRange]
      return this.#reply.refuse(416, { fields: [range, NOSNIFF] })
    }
    if (answer.status === 304) {
      this.#reply.respond(responseHead(304, answer.fields), EMPTY_BODY)
      return
    }
    const head = responseHead(answer.status, answer.fields, answer.length)
    if (this.#head.method === 'HEAD') this.#reply.respond(head, EMPTY_BODY)
    else
      this.#start(
        file,
        head,
        answer.segments.map((segment) => inMemory(file, segment)),
      )
  }

  #start(file: StoredFile, head: ResponseHead, segments: readonly Segment[]): void {
    file.use()
    this.#file = file
    let begun = false
    const source = file.memory === null ? file : null
    const transfer = new FileTransfer(source, segments, PiecePool.of(this.#memory), {
      data: (piece) => {
        const span = PIECE.set(piece, 0, piece.length)
        const kept = begun ? this.#reply.data(span) : this.#reply.start(head, span)
        begun = true
        PIECE.clear()
        return kept
      },
      finish: () => {
        file.release()
        if (!begun) this.#reply.start(head)
        this.#reply.finish()
      },
      failed: (reason) => {
        file.release()
        this.#failed(file, reason)
        if (begun) this.#reply.abort()
        else this.#reply.refuse(500)
      },
      idle: () => file.release(),
    })
    this.#transfer = transfer
    transfer.begin()
  }

  /** The client has taken that many bytes of the body. */
  written(bytes: number): void {
    this.#transfer?.written(bytes)
  }

  /** The exchange is over. */
  close(): void {
    const transfer = this.#transfer
    if (transfer === null) return
    const ended = transfer.closed
    transfer.close()
    if (!ended && !transfer.busy) this.#file!.release()
  }
}

function fieldsThatMatter({ names, fieldCount }: RequestHead): number {
  let bits = 0
  for (let index = 0; index < fieldCount; index++) {
    const { id } = names[index]!
    if (id >= 0) bits |= MATTERS[id]!
  }
  return bits
}

function requestFields(head: RequestHead): FileRequestFields {
  return {
    ifMatch: head.get('if-match'),
    ifNoneMatch: head.get('if-none-match'),
    ifModifiedSince: head.get('if-modified-since'),
    ifUnmodifiedSince: head.get('if-unmodified-since'),
    cacheControl: head.get('cache-control'),
    range: head.get('range'),
    ifRange: head.get('if-range'),
  }
}

/** The codings that were chosen for the last values of Accept-Encoding. */
const choices = new Map<string, readonly string[]>()
const MOST_CHOICES = 64
const LONGEST_CHOICE = 128

/** The file, or a compressed version that the client accepts. */
function chosenFile(path: StoredPath, head: RequestHead): StoredFile {
  const accepted = head.get('accept-encoding')
  for (const coding of codingsFor(accepted)) {
    if (coding === 'identity') break
    const file = path.files.find(({ encoding }) => encoding === coding)
    if (file !== undefined) return file
  }
  return path.files[0]!
}

function codingsFor(accepted: string | undefined): readonly string[] {
  if (accepted === undefined) return []
  let chosen = choices.get(accepted)
  if (chosen === undefined) {
    chosen = acceptedEncodings(accepted, CODINGS)
    if (choices.size >= MOST_CHOICES) choices.clear()
    if (accepted.length <= LONGEST_CHOICE) choices.set(accepted, chosen)
  }
  return chosen
}

function preparedHead(
  { type, varies }: StoredPath,
  file: StoredFile,
  cacheControl: string | null,
): PreparedHead {
  const fields: FileField[] = [['Content-Type', type], ...validatorFields(file)]
  fields.push(['X-Content-Type-Options', 'nosniff'])
  if (file.encoding !== null) fields.push(['Content-Encoding', file.encoding])
  if (varies) fields.push(['Vary', 'Accept-Encoding'])
  if (cacheControl !== null) fields.push(['Cache-Control', cacheControl])
  return new PreparedHead(fields, file.size)
}

/** The fields by which a client can ask for a part of a file, or whether its copy is current. */
export function validatorFields({ validators: { etag, lastModified } }: StoredFile): FileField[] {
  return [
    ['ETag', etag],
    ['Last-Modified', lastModified],
    ['Accept-Ranges', 'bytes'],
  ]
}

function wholeOf(file: StoredFile): Segment {
  return inMemory(file, { start: 0, end: file.size })
}

function inMemory({ memory }: StoredFile, segment: Segment): Segment {
  if (memory === null || segment instanceof Uint8Array) return segment
  return memory.subarray(HEADROOM + segment.start, HEADROOM + segment.end)
}

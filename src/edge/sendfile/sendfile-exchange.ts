import { Span } from '../../bytes/span.ts'
import type { FileField } from '../../files/file-answer.ts'
import { NoDescriptorError, type StoredPath } from '../../files/file-store.ts'
import { typeOfFile } from '../../files/file-type.ts'
import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, type ResponseHead, responseField } from '../../http/response-head.ts'
import { RETRY_SOON } from '../../http/small-answer.ts'
import { coded } from '../../messages/coded.ts'
import { isBodiless } from '../../semantics/bodiless.ts'
import { FileInstead } from '../file-instead.ts'
import { FileSending, validatorFields } from '../file-sending.ts'
import type { SendfileContext } from './context.ts'
import { type NamedFile, UndeclaredFileError } from './file-names.ts'

const NO_BODY = new Span()
/** Fields that the file has values of its own for, or that are about the body that is dropped. */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'digest',
  'etag',
  'last-modified',
  'repr-digest',
  'trailer',
  'transfer-encoding',
])

/** An exchange whose response may refer to a file. */
export class SendfileExchange extends FileInstead {
  readonly #context: SendfileContext
  readonly #head: RequestHead
  #response: ResponseHead | null = null
  /** The value of X-Sendfile, or of X-Accel-Redirect. */
  #value = ''
  #isRedirect = false

  constructor(context: SendfileContext, head: RequestHead, reply: Reply) {
    super(reply)
    this.#context = context
    this.#head = head
  }

  protected override replaces(head: ResponseHead): boolean {
    const { names } = this.#context
    const redirect = names.hasRedirects ? responseField(head, 'x-accel-redirect') : undefined
    const value = redirect ?? (names.hasRoots ? responseField(head, 'x-sendfile') : undefined)
    if (value === undefined) return false
    this.#isRedirect = redirect !== undefined
    this.#value = value
    this.#response = head
    return true
  }

  protected override answer(): void {
    const { names } = this.#context
    const response = this.#response!
    if (isBodiless(response.status)) {
      // It refers to a file, but has no body that the file could replace.
      const fields = this.#fieldsKept()
      this.reply.respond({ ...response, fields, contentLength: -1, rendered: null }, NO_BODY)
      return
    }
    let files: NamedFile[]
    try {
      files = this.#isRedirect ? [names.redirect(this.#value)] : names.sendfile(this.#value)
    } catch (error) {
      if (!(error instanceof UndeclaredFileError)) throw error
      this.#log(`${error.message}. Answering 500; declare its folder if it is to be sent`)
      return this.reply.refuse(500)
    }
    this.#find(files)
  }

  /** Sends the first of some files that exists. */
  #find(files: readonly NamedFile[]): void {
    const [file, ...others] = files
    if (file === undefined) {
      this.#context.options.warn(
        'files of responses that do not exist',
        coded(
          'MONO4041',
          `Answering 404 for ${this.#line}: ${this.#fieldName} names ` +
            `${JSON.stringify(this.#value)}, which is not a file, or may not be read`,
        ),
      )
      return this.reply.refuse(404)
    }
    const { store } = this.#context.options
    const { root, names } = file
    const key = `\0${root.pathOf(names)}`
    const known = store.known(key)
    if (known !== null) return this.#found(known, others)
    const lookup = { root, names, directory: false, index: null, precompressed: false }
    store.load(key, lookup, (error, path) => {
      if (this.over) return
      if (error !== null) this.#failed(error)
      else this.#found(path!, others)
    })
  }

  #found(path: StoredPath, others: readonly NamedFile[]): void {
    const [file] = path.files
    if (file === undefined) return this.#find(others)
    const { status, reason } = ofWholeFile(this.#response!)
    const { memory, warn } = this.#context.options
    this.sending = new FileSending(this.#head, this.reply, memory, (_file, why) =>
      warn('files that could not be sent', coded('MONO4043', `Cannot send ${file.path}: ${why}`)),
    )
    const fields = this.#fieldsKept()
    if (this.#response!.status === 206) dropMultipart(fields)
    if (!fields.some(([name]) => name.toLowerCase() === 'content-type'))
      fields.unshift(['Content-Type', typeOfFile(path.names.at(-1)!)])
    this.sending.sendFor(file, status, reason, [...fields, ...validatorFields(file)])
  }

  #failed(error: Error): void {
    const text = `${this.#line}: ${error.message}`
    const { warn } = this.#context.options
    if (error instanceof NoDescriptorError) {
      warn('files that could not be opened', coded('MONO4033', `Answering 503 for ${text}`))
      this.reply.refuse(503, { fields: RETRY_SOON })
    } else {
      warn('files that could not be opened', coded('MONO4043', `Answering 500 for ${text}`))
      this.reply.refuse(500)
    }
  }

  /** The fields of the application, without those about the body, and those for the server. */
  #fieldsKept(): FileField[] {
    return this.#response!.fields.filter(([name]) => !isOurs(name.toLowerCase())).map(
      ([name, value]: Field): FileField => [name, value],
    )
  }

  get #fieldName(): string {
    return this.#isRedirect ? 'X-Accel-Redirect' : 'X-Sendfile'
  }

  get #line(): string {
    return JSON.stringify(this.#head.requestLine())
  }

  #log(text: string): void {
    this.#context.options.error(
      coded('MONO4042', `${this.#fieldName} in the answer to ${this.#line}: ${text}`),
    )
  }
}

/**
 * The status that a response has without the range that the application has chosen. Flask's
 * `send_file()` answers a range with 206, and drops the body beside the field; the range of the
 * file is then ours to choose (RFC 9110 §14.2).
 */
function ofWholeFile({ status, reason }: ResponseHead): { status: number; reason: string } {
  return status === 206 ? { status: 200, reason: 'OK' } : { status, reason }
}

/** Removes a Content-Type that is about several ranges in the body that is dropped. */
function dropMultipart(fields: FileField[]): void {
  const index = fields.findIndex(
    ([name, value]) => /^content-type$/i.test(name) && /^multipart\/byteranges\b/i.test(value),
  )
  if (index !== -1) fields.splice(index, 1)
}

function isOurs(lowerName: string): boolean {
  return (
    OF_THE_BODY.has(lowerName) || lowerName === 'x-sendfile' || lowerName.startsWith('x-accel-')
  )
}

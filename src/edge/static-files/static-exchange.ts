import { type FileLookup, NoDescriptorError, type StoredPath } from '../../files/file-store.ts'
import { isNavigation } from '../../files/navigation.ts'
import { servedPath } from '../../files/served-path.ts'
import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { RETRY_SOON } from '../../http/small-answer.ts'
import { coded } from '../../messages/coded.ts'
import { FileSending } from '../file-sending.ts'
import type { StaticFilesContext } from './context.ts'
import { INDEX, type Mount, pathWithin } from './mounts.ts'
import { PageOfApplication } from './page-of-application.ts'
import { directoryLocation } from './redirect.ts'

/**
 * A GET or HEAD below a mount. It is answered with the file; if there is none, the next handler
 * gets the request, as if it had come to it at first.
 */
export class StaticExchange implements RequestSink {
  readonly #context: StaticFilesContext
  readonly #head: RequestHead
  readonly #reply: Reply
  readonly #mount: Mount
  /** The path of the request, percent-decoded, one character for each byte. */
  readonly #key: string
  #known: StoredPath | null
  #sending: FileSending | null = null
  /** That of the next handler, once it has the request. */
  #next: RequestSink | null = null
  #bodyEnded = false
  #clientEnded = false
  #paused = false
  #closed = false

  constructor(
    context: StaticFilesContext,
    head: RequestHead,
    reply: Reply,
    mount: Mount,
    key: string,
    known: StoredPath | null,
  ) {
    this.#context = context
    this.#head = head
    this.#reply = reply
    this.#mount = mount
    this.#key = key
    this.#known = known
  }

  begin(): void {
    const known = this.#known
    this.#known = null
    if (known !== null) return this.#found(known)
    const lookup = this.#lookup()
    if (lookup === null) return this.#passOn()
    if (this.#head.hasBody) {
      this.#paused = true
      this.#reply.pauseBody()
    }
    this.#context.options.store.load(this.#key, lookup, (error, path) => {
      if (this.#closed) return
      if (error !== null) this.#failed(error)
      else this.#found(path!)
    })
  }

  /** Null if the path names no file. */
  #lookup(): FileLookup | null {
    const { root } = this.#mount
    const path = servedPath(pathWithin(this.#mount, this.#key))
    if (path === null || path.hidden) return null
    const { names, directory } = path
    return { root, names, directory, index: INDEX, precompressed: true }
  }

  #found(path: StoredPath): void {
    if (path.kind === 'file') {
      const { options } = this.#context
      options.hit?.()
      this.#sending = new FileSending(this.#head, this.#reply, options.memory, (file, reason) =>
        options.warn(
          'files that could not be sent',
          coded('MONO4043', `Cannot send ${file.path}: ${reason}`),
        ),
      )
      this.#sending.send(path, this.#context)
    } else if (path.kind === 'directory') {
      const location = directoryLocation(this.#head)
      this.#reply.refuse(301, { fields: [['Location', location]] })
    } else this.#passOn()
  }

  #failed(error: Error): void {
    const { warn } = this.#context.options
    const line = JSON.stringify(this.#key)
    if (error instanceof NoDescriptorError) {
      const text = `Answering 503 for ${line}: ${error.message}`
      warn('files that could not be opened', coded('MONO4033', text))
      this.#reply.refuse(503, { fields: RETRY_SOON })
    } else {
      const text = `Answering 500 for ${line}: ${error.message}`
      warn('files that could not be opened', coded('MONO4043', text))
      this.#reply.refuse(500)
    }
  }

  /** The next handler gets the request, and what has happened to it so far. */
  #passOn(): void {
    const { options, next } = this.#context
    const isPage =
      options.spa && this.#mount.hasIndex && isNavigation(this.#key, this.#head.get('accept'))
    if (isPage) {
      const page = new PageOfApplication(this.#context, this.#head, this.#reply, this.#mount)
      page.sink = next(this.#head, page)
      this.#next = page
    } else {
      this.#next = next(this.#head, this.#reply)
    }
    this.#next.begin()
    if (this.#closed) return
    if (this.#paused) this.#reply.resumeBody()
    if (this.#bodyEnded) this.#next.bodyEnd()
    if (this.#clientEnded) this.#next?.clientEnded()
  }

  bodyData(chunk: Buffer): void {
    // Before the request is passed on, none is read.
    this.#next?.bodyData(chunk)
  }

  bodyEnd(): void {
    if (this.#next === null) this.#bodyEnded = true
    else this.#next.bodyEnd()
  }

  clientEnded(): void {
    if (this.#next === null) this.#clientEnded = true
    else this.#next.clientEnded()
  }

  written(bytes: number): void {
    if (this.#next === null) this.#sending?.written(bytes)
    else this.#next.written(bytes)
  }

  closed(completed: boolean, refusedWith?: number): void {
    this.#closed = true
    this.#sending?.close()
    this.#next?.closed(completed, refusedWith)
  }
}

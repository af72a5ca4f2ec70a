import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { ResponseHead } from '../../http/response-head.ts'
import { coded } from '../../messages/coded.ts'
import { FileInstead } from '../file-instead.ts'
import { FileSending } from '../file-sending.ts'
import type { StaticFilesContext } from './context.ts'
import { INDEX, type Mount } from './mounts.ts'

/**
 * A page that no file has, for a single-page application: if the application has none either (404),
 * the index is sent, whose script knows the page.
 */
export class PageOfApplication extends FileInstead {
  readonly #context: StaticFilesContext
  readonly #head: RequestHead
  readonly #mount: Mount

  constructor(context: StaticFilesContext, head: RequestHead, reply: Reply, mount: Mount) {
    super(reply)
    this.#context = context
    this.#head = head
    this.#mount = mount
  }

  protected override replaces({ status }: ResponseHead): boolean {
    return status === 404
  }

  protected override answer(): void {
    const { store } = this.#context.options
    const { root, path } = this.#mount
    // As the path of the index is asked for.
    const key = `${path.toString('latin1')}/${INDEX}`
    const known = store.known(key)
    if (known !== null) return this.#send(known)
    const lookup = { root, names: [INDEX], directory: false, index: INDEX, precompressed: true }
    store.load(key, lookup, (error, found) => {
      if (!this.over) this.#send(error === null ? found : null)
    })
  }

  #send(path: Parameters<FileSending['send']>[0] | null): void {
    if (path?.kind !== 'file') return this.reply.refuse(404)
    const { options } = this.#context
    this.sending = new FileSending(this.#head, this.reply, options.memory, (file, reason) =>
      options.warn(
        'files that could not be sent',
        coded('MONO4043', `Cannot send ${file.path}: ${reason}`),
      ),
    )
    this.sending.send(path, this.#context)
  }
}

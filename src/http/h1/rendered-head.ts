import { ResponseBlock } from '../../field-block/response-block.ts'
import type { ResponseHead } from '../response-head.ts'

/** What HTTP/1.x keeps of a response head, for the next response with the same one. */
export class RenderedHead {
  /** The status line and the head's own field lines, each with its CRLF. */
  readonly lines: string
  /** The `Date` line that `text` was made with; '' if there is no `text` yet. */
  date = ''
  /** The whole head of an answer that needs nothing special, up to the empty line. */
  text = ''

  constructor(lines: string) {
    this.lines = lines
  }

  /** The one of `head`, which is made if it does not exist. */
  static of(head: ResponseHead): RenderedHead {
    const known = head.rendered
    if (known instanceof RenderedHead) return known
    const rendered = new RenderedHead(linesOf(head))
    head.rendered = rendered
    return rendered
  }
}

function linesOf(head: ResponseHead): string {
  let lines: string
  if (head instanceof ResponseBlock) lines = `HTTP/1.1 ${head.text}`
  else {
    lines = `HTTP/1.1 ${head.status} ${head.reason}\r\n`
    for (const [name, value] of head.fields) lines += `${name}: ${value}\r\n`
  }
  // RFC 9110 §8.6: no Content-Length in a 204.
  return head.status === 204 && head.contentLength !== -1 ? withoutContentLength(lines) : lines
}

function withoutContentLength(lines: string): string {
  return lines.replace(/\r\ncontent-length:[^\r]*/i, '')
}

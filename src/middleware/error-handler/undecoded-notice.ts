import { messageOf } from '../../wsgi/stranger.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import { textViews, undecodedHint, undecodedIn } from '../../wsgi/undecoded-text.ts'

/**
 * A sentence for a developer whose error has a variable in its message that was not decoded, such
 * as `No article "pÃ¼"`; `''` if it has none.
 */
export function undecodedNotice(error: unknown, environ: WSGIEnvironment): string {
  const view = undecodedIn(messageOf(error), textViews(environ))
  return view === null ? '' : `The message of the error ${undecodedHint(view)}.`
}

/** A list of media ranges with `text/html` that the client does not refuse (`q=0`). */
const WANTS_HTML = /(?:^|,)\s*text\/html\s*(?:,|$|;(?!\s*q=0(?:\.0*)?\s*(?:,|$)))/i

/**
 * Whether a GET or HEAD opens a page, by a link or the address bar. Requests of scripts and images
 * do not name `text/html` in `Accept`, and the last segment of the path of a page has no dot.
 *
 * @param path percent-decoded or not
 * @param accept the value of Accept
 */
export function isNavigation(path: string, accept: string | undefined): boolean {
  if (path.slice(path.lastIndexOf('/') + 1).includes('.')) return false
  return accept !== undefined && WANTS_HTML.test(accept)
}

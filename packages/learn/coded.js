/**
 * Adds the code of its page to a line for the user, as the server does. The table of codes is that
 * of the server, `src/messages/`; this package works without the files of the other.
 *
 * @param {string} code
 * @param {string} text one line
 */
export function coded(code, text) {
  return `${text} [${code}]`
}

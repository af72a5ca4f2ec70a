/**
 * Takes a block apart: a status and a reason, then `Name: value` for each field, with a CRLF after
 * each, as workers send a response head. Nothing is checked. A value is everything after the colon
 * and one space.
 *
 * @example statusAndFields('200 OK\r\nA: 1\r\n') // { status: '200 OK', fields: [['A', '1']] }
 */
export function statusAndFields(block: string): {
  status: string
  fields: [name: string, value: string][]
} {
  const fields: [string, string][] = []
  const lines = block.split('\r\n')
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    if (line === '') continue // after the last CRLF
    const colon = line.indexOf(':')
    fields.push([line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)])
  }
  return { status: lines[0]!, fields }
}

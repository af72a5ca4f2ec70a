/**
 * The fields of a head that came as lines, `Name: value` with a CRLF after each, as workers send
 * it. A value has what stands behind the colon and one space.
 *
 * @param text a status line, then field lines
 */
export function fieldsOfLines(text: string): [name: string, value: string][] {
  const fields: [string, string][] = []
  const lines = text.split('\r\n')
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    if (line === '') continue // behind the last CRLF
    const colon = line.indexOf(':')
    fields.push([line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)])
  }
  return fields
}

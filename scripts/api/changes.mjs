import { statementsOf } from './statements.mjs'

/**
 * @typedef {object} ApiChange
 * @property {boolean} breaking whether somebody's code or command may have to change
 * @property {string} name of what changed
 * @property {string} text for people: how it changed
 */

/**
 * Compares two reports of the same entry, of two releases.
 *
 * It sees texts, not meanings: a parameter that now takes more is a change of its function, and
 * counts as breaking. Who releases may overrule that.
 *
 * @param {string} before the report of the last release, in Markdown
 * @param {string} after
 * @returns {ApiChange[]}
 */
export function changesBetween(before, after) {
  const old = partsOf(before)
  const now = partsOf(after)
  const changes = []
  for (const [name, part] of old) {
    const next = now.get(name)
    if (next === undefined) changes.push(breaking(name, `${name} is gone`))
    else if (part.text !== next.text) changes.push(...changesOf(name, part, next))
  }
  for (const [name, { exported }] of now)
    if (!old.has(name) && exported) changes.push(addition(name, `${name} is new`))
  return changes
}

function changesOf(name, part, next) {
  if (part.head !== next.head)
    return [breaking(name, `${name} was ${inline(part.text)}, and is ${inline(next.text)}`)]
  const changes = []
  const [old, now] = [new Set(part.members.values()), new Set(next.members.values())]
  for (const [member, text] of part.members) {
    if (now.has(text)) continue
    const other = next.members.get(member)
    if (other === undefined) changes.push(breaking(name, `${name}: ${inline(text)} is gone`))
    else if (other !== text)
      changes.push(breaking(name, `${name}: ${inline(text)} is now ${inline(other)}`))
  }
  for (const [member, text] of next.members) {
    if (part.members.has(member) || old.has(text)) continue
    changes.push(
      next.demanding && !/^(readonly )?[^:(]*\?/.test(text)
        ? breaking(name, `${name}: ${inline(text)} is new, and not optional`)
        : addition(name, `${name}: ${inline(text)} is new`),
    )
  }
  return changes
}

/**
 * The parts of a report by name. `head` is the text without the members; whoever makes a value of a
 * `demanding` part has to give all its members.
 */
function partsOf(report) {
  const [, language, code = ''] = /^```(\w+)\n(.*)^```$/ms.exec(report) ?? []
  const parts = new Map()
  for (const part of language === 'ts' ? typesIn(code) : blocksIn(code)) {
    const same = parts.get(part.name)
    if (same === undefined) parts.set(part.name, part)
    // Overloads of a function.
    else parts.set(part.name, { ...same, text: `${same.text}\n${part.text}`, head: null })
  }
  for (const part of parts.values()) part.head ??= part.text
  return parts
}

function typesIn(code) {
  return statementsOf(code)
    .filter(({ kind }) => kind !== 'ImportDeclaration')
    .map(({ name, text, kind, exported, members }) => ({
      name,
      text,
      exported,
      head: members.reduce((head, member) => head.replace(member, ''), text).replace(/\s+/g, ' '),
      members: named(members),
      demanding: kind !== 'ClassDeclaration',
    }))
}

/** Of a text in which each block is a name and lines in braces. */
function blocksIn(text) {
  return text
    .split(/\n\n/)
    .filter((block) => block.trim() !== '')
    .map((block) => {
      const [head, ...lines] = block.trim().split('\n')
      const members = lines.slice(0, -1).map((line) => line.trim())
      const name = head.replace(/ \{$/, '')
      return { name, text: block.trim(), exported: true, head, members: named(members) }
    })
}

/** Members by their names; overloads and lines that may be there more than once, by their texts. */
function named(members) {
  const names = members.map((member) => /^[\w ]*?(\w+|\[.*?\])\??(?=[:(])/.exec(member)?.[1])
  return new Map(
    members.map((member, index) => {
      const name = names[index]
      const single = name !== undefined && names.indexOf(name) === names.lastIndexOf(name)
      return [single ? name : member, member]
    }),
  )
}

function inline(text) {
  return `\`${text.replace(/\s+/g, ' ')}\``
}

function breaking(name, text) {
  return { breaking: true, name, text }
}

function addition(name, text) {
  return { breaking: false, name, text }
}

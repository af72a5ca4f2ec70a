import ts from 'typescript'

/** The greatest width of a line of code or comment. */
const WIDTH = 100
const LONG_LINE = new RegExp(`.{${WIDTH + 1}}`)

/**
 * Finds lines that are wider than 100 columns, except those that cannot be wrapped:
 *
 * - the title of a test, which the formatter keeps on one line;
 * - a regular expression;
 * - a line of a template literal that has several, such as a program in Python;
 * - a string without a space to break at, such as a URL;
 * - a row of a table in a doc comment, and an instruction to the linter.
 *
 * @param name the name of the file, which tells its language
 * @param code the text of the file
 * @returns `LINE: text` for each line that is too wide
 */
export function wideLines(name: string, code: string): string[] {
  // Most files have no such line.
  if (!LONG_LINE.test(code)) return []
  const wide = code
    .split('\n')
    .map((line, index) => ({ line, index }))
    .filter(({ line }) => isWide(line) && !/^\s*(\* \||\/\/ biome-ignore)/.test(line))
  if (wide.length === 0) return []
  const lasting = /\.(ts|mjs|js)$/.test(name)
    ? unbreakable(
        name,
        code,
        wide.map(({ index }) => index),
      )
    : new Set<number>()
  return wide
    .filter(({ index }) => !lasting.has(index))
    .map(({ line, index }) => `${index + 1}: ${line}`)
}

/** Whether a line has too many characters; one outside the basic plane counts once. */
function isWide(line: string): boolean {
  return line.length > WIDTH && [...line].length > WIDTH
}

/** Which of the `wide` lines hold something that cannot be wrapped, by their indices. */
function unbreakable(name: string, code: string, wide: readonly number[]): Set<number> {
  const source = ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true)
  const lines = new Set<number>()
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const visit = (node: ts.Node): void => {
    const last = lineOf(node.end)
    // The full start lies before the comments of the node, so this may visit a few nodes too many.
    const begin = lineOf(node.getFullStart())
    if (!wide.some((line) => line >= begin && line <= last)) return
    const first = lineOf(node.getStart(source))
    if (ts.isTemplateLiteral(node) && last > first) {
      for (let line = first; line <= last; line++) lines.add(line)
    } else if (isUnbreakable(node, source)) lines.add(first)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return lines
}

function isUnbreakable(node: ts.Node, source: ts.SourceFile): boolean {
  if (ts.isRegularExpressionLiteral(node)) return node.text.length > WIDTH / 2
  if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
    const text = node.getText(source)
    if (text.length > WIDTH / 2 && !text.includes(' ')) return true
    const call = node.parent
    return ts.isCallExpression(call) && call.arguments[0] === node && isTest(call.expression)
  }
  return false
}

/** Whether this is `test`, `it` or `describe`, or one of their variants, such as `test.each(…)`. */
function isTest(callee: ts.Expression): boolean {
  if (ts.isCallExpression(callee) || ts.isPropertyAccessExpression(callee))
    return isTest(callee.expression)
  if (ts.isTaggedTemplateExpression(callee)) return isTest(callee.tag)
  return ts.isIdentifier(callee) && /^(test|it|describe)$/.test(callee.text)
}

import ts from 'typescript'

/**
 * Takes declarations apart.
 *
 * @param {string} code TypeScript
 * @returns {{ name: string, text: string, kind: string, exported: boolean, members: string[] }[]}
 * `members` are those of an interface, a class or a type that is an object; else it is empty
 */
export function statementsOf(code) {
  const file = ts.createSourceFile('api.ts', code, ts.ScriptTarget.Latest, true)
  return file.statements.map((statement) => ({
    name: nameOf(statement),
    text: statement.getText(file),
    kind: ts.SyntaxKind[statement.kind],
    exported:
      ts.isExportDeclaration(statement) ||
      (ts.getCombinedModifierFlags(statement) & ts.ModifierFlags.Export) !== 0,
    members: membersOf(statement).map((member) => member.getText(file)),
  }))
}

function nameOf(statement) {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.getText()).join(', ')
  return statement.name?.getText() ?? statement.getText()
}

function membersOf(statement) {
  if (ts.isInterfaceDeclaration(statement) || ts.isClassDeclaration(statement))
    return [...statement.members]
  if (ts.isTypeAliasDeclaration(statement) && ts.isTypeLiteralNode(statement.type))
    return [...statement.type.members]
  return []
}

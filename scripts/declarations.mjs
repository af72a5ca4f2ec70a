/**
 * Puts the declarations of the package together into a few files.
 *
 * The compiler writes one for each module. More than a hundred small files take twice their bytes
 * on a disk, and an editor reads each of them.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import ts from 'typescript'

/** The folder in `dist` with the declarations that several entries, or an entry's modules, have. */
const FOLDER = 'types'

/**
 * Writes the declarations of modules, with all that they refer to.
 *
 * @param {readonly string[]} entries what users import, such as `index`: these keep their names
 * @param {string} from the folder of the compiled modules
 * @param {string} to the folder of the package
 * @throws Error at a statement that it does not know
 */
export function writeDeclarations(entries, from, to) {
  const modules = readModules(entries, from)
  keepWhatIsUsed(entries, modules)
  const files = chooseFiles(entries, modules)
  for (const [file, names] of files.members) {
    const path = join(to, `${file}.d.ts`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, textOf(file, names, modules, files.of))
  }
}

/** All modules by name, each with its statements and the entries that need it. */
function readModules(entries, from) {
  const modules = new Map()
  for (const entry of entries) {
    const reached = new Set([entry])
    for (const name of reached) {
      if (!modules.has(name)) modules.set(name, readModule(name, from))
      const module = modules.get(name)
      module.entries.push(entry)
      for (const next of module.needs) reached.add(next)
    }
  }
  return modules
}

function readModule(name, from) {
  const text = readFileSync(join(from, `${name}.d.ts`), 'utf8')
  const source = ts.createSourceFile(`${name}.d.ts`, text, ts.ScriptTarget.Latest, true)
  const needs = new Set()
  const visit = (node) => {
    const target = targetOf(node)
    if (target?.startsWith('.')) needs.add(moduleAt(name, target))
    ts.forEachChild(node, visit)
  }
  visit(source)
  const { statements } = source
  return { name, source, statements, needs, entries: [], names: namesIn(name, statements) }
}

/**
 * Removes the statements that nothing needs of what users import: most of what a module declares is
 * for other modules of ours. An entry keeps all of its own.
 */
function keepWhatIsUsed(entries, modules) {
  const kept = new Set()
  const open = []
  const keep = (statement, module) => {
    if (kept.has(statement)) return
    kept.add(statement)
    open.push([statement, module])
  }
  const keepName = (own, module) => {
    for (const statement of module.source.statements)
      if (declaredBy(statement).includes(own) || passesOn(statement, own)) keep(statement, module)
  }
  // What extends the declarations of a package has no name.
  for (const [name, module] of modules)
    for (const statement of module.source.statements)
      if (entries.includes(name) || isAugmentation(statement)) keep(statement, module)
  for (const [statement, module] of open) {
    const visit = (node) => {
      if (ts.isImportTypeNode(node)) {
        const other = modules.get(moduleAt(module.name, node.argument.literal.text))
        if (other !== undefined) keepName(firstOf(node.qualifier).text, other)
      }
      if (ts.isIdentifier(node)) {
        const [from, original] = (module.names.get(node.text) ?? '').split(' ')
        if (modules.has(from)) keepName(original, modules.get(from))
      }
      ts.forEachChild(node, visit)
    }
    const target = targetOf(statement)
    if (ts.isExportDeclaration(statement) && target !== undefined) {
      const from = modules.get(moduleAt(module.name, target))
      for (const { name } of statement.exportClause?.elements ?? [])
        if (from !== undefined) keepName(name.text, from)
    } else visit(statement)
  }
  for (const module of modules.values()) {
    const used = new Set()
    const visit = (node) => {
      if (ts.isIdentifier(node)) used.add(node.text)
      ts.forEachChild(node, visit)
    }
    const own = module.source.statements.filter((statement) => kept.has(statement))
    for (const statement of own) visit(statement)
    module.statements = module.source.statements.filter(
      (statement) => kept.has(statement) || ts.isImportDeclaration(statement),
    )
    const names = [...namesIn(module.name, module.statements)]
    module.names = new Map(names.filter(([name]) => used.has(name)))
  }
}

/** Whether it is `export { own }`, with or without a place that it is from. */
function passesOn(statement, own) {
  if (!ts.isExportDeclaration(statement)) return false
  return statement.exportClause?.elements?.some(({ name }) => name.text === own) ?? false
}

function isAugmentation(statement) {
  return ts.isModuleDeclaration(statement) && ts.isStringLiteral(statement.name)
}

/** `A` of `A.B.C` */
function firstOf(name) {
  return ts.isQualifiedName(name) ? firstOf(name.left) : name
}

/** What a statement or an import type refers to: `./types.ts`, `node:net`. */
function targetOf(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node))
    return node.moduleSpecifier?.text
  if (ts.isImportTypeNode(node)) return node.argument.literal.text
  return undefined
}

function moduleAt(from, target) {
  return posix.join(posix.dirname(from), target.replace(/\.[jt]s$/, ''))
}

/** The names that a module uses at its top level, and what each stands for. */
function namesIn(name, statements) {
  const names = new Map()
  for (const statement of statements) {
    if (ts.isImportDeclaration(statement)) {
      const target = targetOf(statement)
      const from = target.startsWith('.') ? moduleAt(name, target) : target
      for (const { own, original } of importsOf(statement)) names.set(own, `${from} ${original}`)
    } else {
      for (const own of declaredBy(statement)) names.set(own, `${name} ${own}`)
    }
  }
  return names
}

function importsOf({ importClause }) {
  const bindings = importClause?.namedBindings
  if (importClause?.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings))
    throw new Error(`Only imports of names can be put together: ${importClause?.getText()}`)
  return bindings.elements.map(({ name, propertyName }) => ({
    own: name.text,
    original: (propertyName ?? name).text,
  }))
}

function declaredBy(statement) {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.map(({ name }) => name.text)
  if (statement.name !== undefined && ts.isIdentifier(statement.name)) return [statement.name.text]
  return []
}

/**
 * Modules that the same entries need are in the same file. One that uses a name for something else
 * than the others do stays alone.
 */
function chooseFiles(entries, modules) {
  const of = new Map(entries.map((name) => [name, name]))
  const members = new Map(entries.map((name) => [name, [name]]))
  const taken = new Map()
  for (const { name, names, entries: users } of modules.values()) {
    if (of.has(name)) continue
    const together = posix.join(FOLDER, users.map((user) => posix.basename(user)).join('_'))
    if (!taken.has(together)) taken.set(together, new Map())
    const known = taken.get(together)
    const alone = [...names].some(([own, meaning]) => (known.get(own) ?? meaning) !== meaning)
    const file = alone ? posix.join(FOLDER, posix.basename(name)) : together
    if (alone && members.has(file)) throw new Error(`Two files of declarations are ${file}`)
    if (!alone) for (const [own, meaning] of names) known.set(own, meaning)
    of.set(name, file)
    members.set(file, [...(members.get(file) ?? []), name])
  }
  return { of, members }
}

function textOf(file, names, modules, fileOf) {
  const imported = new Map()
  const parts = []
  for (const name of names) {
    const { source, statements, names: meanings } = modules.get(name)
    /** Whether the file has a name from another module, which exports it. */
    const exportedElsewhere = (own) => {
      const [from] = (meanings.get(own) ?? name).split(' ')
      return from !== name && fileOf.get(from) === file
    }
    /** The place of a target as this file sees it; null for itself. */
    const place = (target) => {
      if (!target.startsWith('.')) return target
      const other = fileOf.get(moduleAt(name, target))
      if (other === file) return null
      const path = posix.relative(posix.dirname(file), `${other}.js`)
      return path.startsWith('.') ? path : `./${path}`
    }
    for (const statement of statements) {
      if (ts.isImportDeclaration(statement)) {
        const from = place(targetOf(statement))
        if (from === null) continue
        if (!imported.has(from)) imported.set(from, new Set())
        for (const { own, original } of importsOf(statement))
          if (meanings.has(own))
            imported.get(from).add(own === original ? own : `${original} as ${own}`)
      } else parts.push(statementText(statement, source, place, exportedElsewhere))
    }
  }
  const used = [...imported].filter(([, own]) => own.size > 0)
  const imports = used.map(([from, own]) => `import { ${[...own].join(', ')} } from '${from}';`)
  return `${[...imports, ...parts.filter((part) => part !== ''), 'export {};'].join('\n')}\n`
}

function statementText(statement, source, place, exportedElsewhere) {
  if (ts.isExportDeclaration(statement)) {
    const target = targetOf(statement)
    const exported = statement.exportClause?.elements
    if (!exported?.every(({ propertyName }) => propertyName === undefined))
      throw new Error(`This cannot be put together: ${statement.getText()}`)
    if (target === undefined) {
      const left = exported.map(({ name }) => name.text).filter((own) => !exportedElsewhere(own))
      return left.length === 0 ? '' : `export { ${left.join(', ')} };`
    }
    const from = place(target)
    // A file exports what is in it.
    if (from === null) return ''
    return `${before(statement, source)}${replaced(statement, statement.moduleSpecifier, from)}`
  }
  if (isAugmentation(statement)) {
    const from = place(statement.name.text)
    if (from === null) throw new Error(`A file cannot extend itself: ${statement.getText()}`)
    return `${before(statement, source)}${replaced(statement, statement.name, from)}`
  }
  let text = statement.getText()
  const start = statement.getStart()
  const found = []
  const visit = (node) => {
    if (ts.isImportTypeNode(node) || isProse(node)) found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(statement)
  for (const node of found.reverse()) {
    if (isProse(node)) {
      text = `${text.slice(0, node.getStart() - start)}string${text.slice(node.getEnd() - start)}`
      continue
    }
    const { literal } = node.argument
    const from = place(literal.text)
    // In the same file a name is enough.
    const [at, end, instead] =
      from === null
        ? [node.getStart(), node.qualifier.getStart(), node.isTypeOf ? 'typeof ' : '']
        : [literal.getStart(), literal.getEnd(), `'${from}'`]
    text = text.slice(0, at - start) + instead + text.slice(end - start)
  }
  return `${before(statement, source)}${text}`
}

/** Whether it is the type of one text of several words, which no program needs as a type. */
function isProse(node) {
  if (!ts.isLiteralTypeNode(node) || !ts.isStringLiteralLike(node.literal)) return false
  return node.literal.text.split(/\s+/).length > 3
}

function replaced(statement, literal, from) {
  const text = statement.getText()
  const at = literal.getStart() - statement.getStart()
  return `${text.slice(0, at)}'${from}'${text.slice(at + literal.getText().length)}`
}

/** The comments before a statement. */
function before(statement, source) {
  return source.text.slice(statement.getFullStart(), statement.getStart()).trimStart()
}

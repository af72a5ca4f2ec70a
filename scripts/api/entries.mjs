import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The entries of the package that have types, from `exports` in package.json.
 *
 * @param {string} root the folder of the package
 * @returns {{ entry: string, report: string, types: string }[]} `entry` is what is imported
 * (`monoceros/fetch`), `report` the name of its report (`fetch`), `types` the path of its
 * declarations
 */
export function typedEntries(root) {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.entries(exports).flatMap(([path, target]) => {
    const types = typesOf(target)
    if (types === undefined) return []
    const report = path === '.' ? name : path.slice(2).replaceAll('/', '-')
    return [{ entry: path === '.' ? name : name + path.slice(1), report, types: join(root, types) }]
  })
}

/** The first condition `types` of an export, however deep it is. */
function typesOf(target) {
  if (typeof target !== 'object' || target === null) return undefined
  if (typeof target.types === 'string') return target.types
  for (const inner of Object.values(target)) {
    const types = typesOf(inner)
    if (types !== undefined) return types
  }
  return undefined
}

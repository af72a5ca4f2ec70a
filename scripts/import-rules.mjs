/**
 * The import rules of `src/`: which folder may import from which.
 *
 * `.dependency-cruiser.mjs` enforces the table, and `docs/design.md` shows the picture that
 * `drawImports` makes of it (`npm run docs` updates that page).
 */

/**
 * For each folder, the folders that it may import from, in types as well as in values. An import
 * that is not listed is an error, and so is a folder that is not in the table.
 */
export const allowedImports = {
  messages: [],
  bytes: [],
  semantics: [],
  'content-coding': [],
  files: ['semantics', 'content-coding'],
  'field-block': ['bytes', 'semantics'],
  'source-code': ['semantics'],
  changes: ['messages'],
  wsgi: ['semantics'],
  observe: [],
  profile: [],
  'rate-limit': ['messages'],
  metrics: [],
  dashboard: ['observe', 'profile', 'control'],
  logging: ['messages', 'bytes', 'observe', 'process'],
  traces: ['messages', 'observe', 'own-files'],
  'own-files': [],
  process: ['messages', 'own-files'],
  statsd: ['messages', 'observe', 'logging'],
  control: ['messages', 'observe', 'settings', 'process', 'profile'],
  middleware: ['semantics', 'content-coding', 'source-code', 'files', 'wsgi', 'observe', 'logging'],
  adapters: ['semantics', 'wsgi'],
  testing: ['semantics', 'wsgi'],
  transport: ['bytes'],
  spool: ['bytes'],
  http: ['bytes', 'semantics', 'field-block', 'transport', 'spool', 'observe'],
  settings: ['messages', 'logging', 'rate-limit'],
  runtimes: [
    'messages',
    'own-files',
    'bytes',
    'wsgi',
    'transport',
    'settings',
    'observe',
    'logging',
  ],
  edge: [
    'messages',
    'metrics',
    'bytes',
    'semantics',
    'content-coding',
    'source-code',
    'files',
    'http',
    'spool',
    'observe',
    'rate-limit',
  ],
  gateway: [
    'messages',
    'own-files',
    'bytes',
    'semantics',
    'files',
    'field-block',
    'wsgi',
    'http',
    'runtimes',
    'spool',
    'settings',
    'observe',
    'logging',
  ],
  acceptor: [
    'messages',
    'metrics',
    'own-files',
    'rate-limit',
    'bytes',
    'wsgi',
    'transport',
    'http',
    'observe',
    'edge',
    'files',
    'gateway',
    'runtimes',
    'spool',
    'settings',
    'logging',
    'statsd',
    'traces',
    'process',
    'profile',
  ],
  'python-app': [
    'messages',
    'bytes',
    'semantics',
    'field-block',
    'wsgi',
    'gateway',
    'runtimes',
    'spool',
    'settings',
    'logging',
    'observe',
    'changes',
    'traces',
  ],
  'reference-server': [
    'bytes',
    'wsgi',
    'http',
    'observe',
    'edge',
    'gateway',
    'spool',
    'logging',
    'process',
  ],
  vite: ['semantics', 'wsgi', 'source-code', 'settings', 'runtimes', 'python-app', 'adapters'],
  config: ['messages', 'own-files', 'runtimes', 'settings', 'wsgi', 'logging', 'process'],
  certificates: ['messages', 'transport', 'settings', 'logging'],
  arbiter: [
    'messages',
    'metrics',
    'dashboard',
    'own-files',
    'control',
    'rate-limit',
    'changes',
    'certificates',
    'config',
    'transport',
    'acceptor',
    'runtimes',
    'settings',
    'observe',
    'logging',
    'statsd',
    'process',
    'profile',
  ],
  packages: ['messages', 'own-files', 'runtimes', 'settings', 'logging', 'process'],
  cli: [
    'messages',
    'own-files',
    'arbiter',
    'control',
    'config',
    'runtimes',
    'packages',
    'settings',
    'logging',
    'process',
  ],
}

/**
 * Groups the folders into layers. A folder stands one layer above the highest folder that it may
 * import from; the first layer imports nothing.
 *
 * @param {Record<string, string[]>} table
 * @returns {string[][]} the names of each layer, from the lowest to the highest
 * @throws {Error} if a name is missing in the table, or folders may import each other
 */
export function layersOf(table) {
  const heights = new Map()
  const heightOf = (folder, importers) => {
    if (importers.includes(folder)) {
      throw new Error(`The import rules have a cycle: ${[...importers, folder].join(' → ')}`)
    }
    const imports = table[folder]
    if (imports === undefined) throw new Error(`The import rules do not list the folder ${folder}`)
    const known = heights.get(folder)
    if (known !== undefined) return known
    const below = imports.map((name) => heightOf(name, [...importers, folder]))
    const height = Math.max(-1, ...below) + 1
    heights.set(folder, height)
    return height
  }
  const layers = []
  for (const folder of Object.keys(table)) {
    const height = heightOf(folder, [])
    layers[height] ??= []
    layers[height].push(folder)
  }
  return layers
}

/**
 * Draws the table as plain text: one line for each folder, grouped into layers, the highest first.
 * Imports point downwards only. What a folder imports is listed from the highest layer down.
 *
 * @param {Record<string, string[]>} table
 * @returns {string} lines, each with a line feed at its end
 */
export function drawImports(table = allowedImports) {
  const layers = layersOf(table)
  const order = layers.toReversed().flat()
  const width = Math.max(...order.map((name) => name.length))
  const lineOf = (folder) => {
    const imports = order.filter((name) => table[folder].includes(name))
    if (imports.length === 0) return `  ${folder}\n`
    return `  ${folder.padEnd(width)} → ${imports.join(', ')}\n`
  }
  const rule = `${'─'.repeat(width + 4)}\n`
  return layers
    .toReversed()
    .map((layer) => layer.map(lineOf).join(''))
    .join(rule)
}

const begin = '<!-- import rules: generated from scripts/import-rules.mjs by `npm run docs` -->'
const end = '<!-- /import rules -->'

/**
 * Puts the current picture between the markers of a page.
 *
 * @param {string} page the text of docs/design.md
 * @throws {Error} if the page does not have the markers
 */
export function withImportsDrawn(page) {
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error('docs/design.md has lost the marks of its picture')
  const picture = `${begin}\n\n\`\`\`text\n${drawImports()}\`\`\`\n\n`
  return page.slice(0, from) + picture + page.slice(to)
}

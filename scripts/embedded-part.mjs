import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The bundle's file that only the embedded Python needs, and the one that finds its package. */
const PART = 'embedded.js'
const FINDER = 'embedded-package.js'

/**
 * Moves what only the embedded Python needs into its package: who has a Python does without
 * 0.16 MB. In its place stays a file that imports it from there, and passes on what it exports.
 *
 * What is moved needs files of the server in turn. It is told where they are, because a package
 * cannot import one that depends on it.
 *
 * @param {string} parts the folder with the files of the server's bundle
 * @param {string} folder the package of the embedded Python
 * @throws Error if the bundle is not as it is expected
 */
export function moveEmbedded(parts, folder) {
  const code = readFileSync(join(parts, PART), 'utf8')
  const [, exported] = /^export ?\{ ?(.*?) ?\};\s*$/m.exec(code) ?? []
  const finder = readFileSync(join(parts, FINDER), 'utf8')
  const [, library] = /\bstandardLibrary as ([\w$]+)/.exec(finder) ?? []
  if (exported === undefined || library === undefined)
    throw new Error(`${PART} or ${FINDER} does not export what it did`)

  const moved = code
    .replace(/^import ?\{ ?(.*?) ?\} ?from ?"(\.[^"]*)";$/gm, (_, names, from) => {
      const own = names.replaceAll(' as ', ': ')
      return `const { ${own} } = await import(new URL("${from}",server));`
    })
    .replace(/\bimport\("(\.[^"]*)"\)/g, (_, from) => `import(new URL("${from}", server))`)
  const left = /^(?:import|export)\b.*["'](\.[^"']*)["']/m.exec(moved)
  if (left !== null) throw new Error(`${PART} imports ${left[1]} in another way`)
  const server = 'const server = new URL(import.meta.url).searchParams.get("server");'
  writeFileSync(join(folder, PART), `${server}\n${moved}`)

  const names = exported.split(/, ?/).map((name) => name.split(' as ').at(-1))
  writeFileSync(
    join(parts, PART),
    `import { pathToFileURL } from "node:url";
import { ${library} as library } from "./${FINDER}";
const place = new URL("${PART}", pathToFileURL(library));
place.searchParams.set("server", import.meta.url);
export const { ${names.join(', ')} } = await import(
/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */
place.href);
`,
  )
}

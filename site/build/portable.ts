import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, sep } from 'node:path'

/** The base that the site is built with. `finishSite` replaces it, so the name must be unusual. */
export const BASE = '/_monoceros_site_/'

/**
 * What the pages may do. Scripts come from files only, and none is made of a text. Pyodide compiles
 * WebAssembly. Styles have `unsafe-inline` for `style` attributes and for the pages that the
 * reader's own application makes, which a frame without rights shows under this policy.
 */
const POLICY: Readonly<Record<string, string>> = {
  'default-src': "'none'",
  'script-src': "'self' 'wasm-unsafe-eval'",
  'worker-src': "'self'",
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data:",
  'font-src': "'self'",
  'connect-src': "'self'",
  'frame-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
}

/**
 * The policies of the scripts that are workers, for a server that sends headers: a worker does not
 * have that of its page. Only that of TypeScript may load a blob, for the modules of the reader.
 */
const WORKER_POLICIES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    'playground/python-worker.js': "'self' 'wasm-unsafe-eval'",
    'playground/typescript-worker.js': "'self' 'wasm-unsafe-eval' blob:",
  }).map(([file, scripts]) => [
    file,
    `default-src 'none'; script-src ${scripts}; connect-src 'self'`,
  ]),
)

/** The one script that stands in a page: only there, no address of the site is known. */
const NOT_FOUND = 'site/build/not-found.js'

interface Site {
  /** Where VitePress has put it. */
  readonly folder: string
  /** The repository's folder. */
  readonly root: string
  /** The rules for the colours of code. */
  readonly codeStyle: string
}

/**
 * Makes the built site work from any path and under the policy, with no server that knows it:
 * every address becomes relative, and every script in a page becomes a file.
 */
export function finishSite({ folder, root, codeStyle }: Site): void {
  cpSync(join(root, 'site', 'public'), folder, { recursive: true })
  const policies = `${JSON.stringify(WORKER_POLICIES, null, 2)}\n`
  writeFileSync(join(folder, 'policies.json'), policies)
  const style = `assets/code.${hash(codeStyle)}.css`
  writeFileSync(join(folder, style), codeStyle)
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = name.split(sep).join('/')
    if (!/\.(html|js|css)$/.test(file)) continue
    const path = join(folder, file)
    const text = readFileSync(path, 'utf8')
    const finished = finishFile(file, text)
    // Most of the thousand scripts have no address.
    if (finished !== text) writeFileSync(path, finished)
  }

  function finishFile(file: string, text: string): string {
    if (file.endsWith('.js')) return relativeScript(file, text)
    if (file.endsWith('.css')) return text.replaceAll(BASE, toRoot(file))
    const early = file === '404.html' ? readFileSync(join(root, NOT_FOUND), 'utf8') : ''
    return finishPage(folder, file, text, style, early)
  }
}

/** @param early a script that stands in the page itself */
function finishPage(
  folder: string,
  file: string,
  text: string,
  style: string,
  early: string,
): string {
  const outside = text.replace(
    /<script(?<attributes>[^>]*)>(?<code>(?:(?!<\/script>)[\s\S])+)<\/script>/g,
    (...parts) => {
      const { attributes, code } = parts.at(-1) as { attributes: string; code: string }
      const script = `assets/page.${hash(code)}.js`
      mkdirSync(dirname(join(folder, script)), { recursive: true })
      writeFileSync(join(folder, script), code)
      return `<script${attributes} src="${BASE}${script}"></script>`
    },
  )
  const head =
    `<meta http-equiv="Content-Security-Policy" content="${policy(early)}">` +
    (early === '' ? '' : `\n    <script>${early}</script>`) +
    `\n    <link rel="stylesheet" href="${BASE}${style}">`
  return outside
    .replace(/<meta charset="[^"]+">/, (charset) => `${charset}\n    ${head}`)
    .replaceAll(BASE, toRoot(file))
}

function policy(script: string): string {
  const hashed = createHash('sha256').update(script).digest('base64')
  return Object.entries(POLICY)
    .map(([name, sources]) => {
      const all = name === 'script-src' && script !== '' ? `${sources} 'sha256-${hashed}'` : sources
      return `${name} ${all}`
    })
    .join('; ')
}

/**
 * In a module, an address is found from where the module is: a string that begins with the base
 * becomes an expression.
 */
function relativeScript(file: string, text: string): string {
  if (file.includes('/@localSearchIndex')) return relativeIndex(file, text)
  const literal = new RegExp(`(?<quote>["'\`])${BASE}(?<rest>[^"'\`\\\\$]*)\\k<quote>`, 'g')
  const replaced = text.replace(literal, (...parts) => {
    const { rest } = parts.at(-1) as { rest: string }
    return `(new URL("${toRoot(file)}${rest}",import.meta.url).pathname)`
  })
  // The site's own data is JSON in a string.
  if (/\/chunks\/metadata\.\w+\.js$/.test(file)) {
    const base = `new URL("${toRoot(file)}",import.meta.url).pathname`
    return `${replaced.replaceAll(BASE, '/')}window.__VP_SITE_DATA__.base=${base};`
  }
  const at = replaced.indexOf(BASE)
  if (at !== -1) {
    const around = replaced.slice(Math.max(0, at - 80), at + 80)
    throw new Error(`${file} has the base in a place that is not known: ${around}`)
  }
  return replaced
}

/** The index of the search is JSON in a string, whose addresses are found when it is loaded. */
function relativeIndex(file: string, text: string): string {
  const whole = /^(?<start>const \w+=(?<quote>["'`])[\s\S]*\k<quote>)(?<end>;export[^"'`]*)$/.exec(
    text,
  )
  if (whole?.groups === undefined) throw new Error(`${file} is no index that is known`)
  const { start, end } = whole.groups
  // In two parts, so that it does not find itself.
  const [half, rest] = [BASE.slice(0, 5), BASE.slice(5)]
  const path = `new URL("${toRoot(file)}",import.meta.url).pathname`
  return `${start}.replaceAll("${half}"+"${rest}",${path})${end}`
}

/** The way from a file of the site to its root, such as `../`. */
function toRoot(file: string): string {
  return `${posix.relative(posix.dirname(file), '.') || '.'}/`
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

/**
 * The pages of the site, and the scripts of its workers: what has a Content-Security-Policy of its
 * own. The other files are those of `static` in the configuration.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'

/** Folders of the site that the server itself serves, without the application. */
export const STATIC = ['assets', 'playground/python']
/** The policies of files that are no pages, which the build writes into the site. */
const POLICIES = 'policies.json'

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
}

/**
 * @typedef {{ status: string, headers: [string, string][], body: Uint8Array }} Page
 */

/**
 * Makes the function that answers requests for files of the site.
 *
 * @param {string} site its folder
 * @returns {(path: string) => Promise<Page>} takes a path such as `/guides/tls.html`
 */
export function createPages(site) {
  const files = new Set(
    readdirSync(site, { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(site, join(entry.parentPath, entry.name)).split(sep).join('/'))
      .filter((name) => !STATIC.some((folder) => name.startsWith(`${folder}/`))),
  )
  /** @type {Record<string, string>} */
  const policies = files.has(POLICIES) ? JSON.parse(readFileSync(join(site, POLICIES), 'utf8')) : {}
  const notFound = readNotFound(site)

  return async (path) => {
    const name = path.replace(/^\//, '').replace(/(^|\/)$/, '$1index.html')
    // Only names that were found in the folder are opened.
    if (files.has(name)) return answer('200 OK', name, await readFile(join(site, name)))
    if (files.has(`${name}/index.html`)) {
      const empty = answer('301 Moved Permanently', '', new Uint8Array())
      return { ...empty, headers: [['Location', `${path}/`], ...empty.headers] }
    }
    return answer('404 Not Found', '404.html', notFound)
  }

  /**
   * @param {string} status
   * @param {string} name
   * @param {Uint8Array} body
   * @returns {Page}
   */
  function answer(status, name, body) {
    const suffix = extname(name)
    const policy = suffix === '.html' ? pagePolicy(body) : policies[name]
    return {
      status,
      headers: [
        ['Content-Type', TYPES[suffix] ?? 'application/octet-stream'],
        ...(policy === undefined
          ? []
          : [/** @type {[string, string]} */ (['Content-Security-Policy', policy])]),
      ],
      body,
    }
  }
}

/**
 * The policy of a page is in the page, so that it holds from any server. As a header, it can also
 * forbid that another page shows this one in a frame.
 *
 * @param {Uint8Array} page
 */
function pagePolicy(page) {
  const start = new TextDecoder().decode(page.subarray(0, 4096))
  const found = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(start)?.[1]
  return [...(found === undefined ? [] : [found]), "frame-ancestors 'none'"].join('; ')
}

/**
 * The page for what is not there. Its addresses are relative to the root of the site, and a script
 * looks for that: here it is known, so the address of the reader stays.
 *
 * @param {string} site
 */
function readNotFound(site) {
  let text = 'There is no such page.\n'
  try {
    text = readFileSync(join(site, '404.html'), 'utf8')
      .replace(/(href|src)="\.\//g, '$1="/')
      .replace(/<script>[\s\S]*?<\/script>/, '')
  } catch {
    // A site without one.
  }
  return new TextEncoder().encode(text)
}

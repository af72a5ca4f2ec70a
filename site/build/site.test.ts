import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkSite } from './check.ts'
import { navigation } from './navigation.ts'
import { packagesOf } from './packages.mjs'
import { BASE, finishSite } from './portable.ts'
import { slug } from './slug.ts'
import { isPage, siteFile, sourcePage } from './where.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'monoceros-site-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
}
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

test('each page of the repository has one address', () => {
  expect(siteFile('docs/guides/tls.md')).toBe('guides/tls.md')
  expect(siteFile('docs/decisions/README.md')).toBe('decisions/index.md')
  expect(siteFile('examples/flask/README.md')).toBe('examples/flask/index.md')
  expect(siteFile('README.md')).toBe('overview.md')
  expect(sourcePage('examples/index.html')).toBe('source/examples/index-html.md')
  expect(isPage('tests/apps/README.md')).toBe(false)
})

test.each([
  ['1. A first application', '1-a-first-application'],
  ['`monoceros install` and `python`', 'monoceros-install-and-python'],
  ['What is served?  Now', 'what-is-served--now'],
  ['wsgi.file_wrapper', 'wsgifile_wrapper'],
  ['Grüße — hier', 'grüße--hier'],
])('the anchor of %j is that of GitHub', (heading, anchor) => expect(slug(heading)).toBe(anchor))

test('packages of modules are known by their paths', () => {
  const modules = ['/a/node_modules/@x/y/z.js', '/a/node_modules/b/node_modules/c/d.js', '/a/e.ts']
  expect(packagesOf(modules)).toEqual(['@x/y', 'c'])
})

describe('the navigation', () => {
  test('has every page of the guides and the reference once', () => {
    const { sidebar } = navigation(root)
    const links = new Map<string, Set<string>>()
    for (const items of new Set(Object.values(sidebar))) collect(items as never, new Set(), links)
    for (const page of [
      '/guides/tutorial',
      '/guides/tls',
      '/reference/settings',
      '/decisions/001-own-http-engine',
    ])
      expect(links.get(`${page}.html`)?.size, page).toBe(1)
  })

  test('has a short sidebar for each error, and for each decision those beside it', () => {
    const { sidebar } = navigation(root)
    // As VitePress chooses: the first that fits.
    const of = (page: string) => {
      const found = Object.entries(sidebar).find(([prefix]) => page.startsWith(prefix))?.[1]
      return found as { items: { text: string; link?: string; items?: Items }[] }[]
    }
    const errors = of('/errors/MONO1042')[0]?.items ?? []
    expect(errors.map(({ link }) => link)).toContain('/reference/errors.html#certificates')
    expect(errors.length).toBeLessThan(40)
    const decisions = of('/decisions/010-the-ledger')[0]?.items ?? []
    const links = new Map<string, Set<string>>()
    collect(decisions, new Set(), links)
    expect(links.has('/decisions/019-server-name-and-port.html'), [...links.keys()].join()).toBe(
      true,
    )
    expect(decisions.filter(({ items }) => items !== undefined).map(({ text }) => text)).toEqual([
      '10 to 19',
    ])
    expect(decisions.map(({ text }) => text)).toContain('1 to 9')
  })

  test('marks one part for each page', () => {
    const { nav } = navigation(root)
    const active = (page: string) =>
      nav
        .map((item) => item as { text: string; activeMatch: string })
        .filter(({ activeMatch }) => new RegExp(activeMatch).test(page))
        .map(({ text }) => text)
    expect(active('/guides/tutorial')).toEqual(['Learn'])
    expect(active('/guides/how-to/routing')).toEqual(['Learn'])
    expect(active('/guides/tls')).toEqual(['Guides'])
    expect(active('/reference/settings')).toEqual(['Reference'])
    expect(active('/decisions/001-own-http-engine')).toEqual([])
    expect(active('/design')).toEqual(['Background'])
  })

  type Items = { link?: string; items?: Items }[]
  function collect(items: Items, part: Set<string>, links: Map<string, Set<string>>): void {
    for (const { link, items: inside } of items) {
      if (link !== undefined) links.set(link, (links.get(link) ?? new Set()).add(String(part.size)))
      if (inside !== undefined) collect(inside, part, links)
    }
  }
})

describe('the finished site', () => {
  const page = (head: string, body = '') =>
    `<head><meta charset="utf-8">${head}</head><body>${body}</body>`

  test('has relative addresses, and no script in a page', () => {
    write({
      'guides/a.html': page(
        `<script>early()</script><link href="${BASE}assets/x.css" rel="stylesheet">` +
          `<script type="module" src="${BASE}assets/chunks/app.js"></script><script id="i">more()</script>`,
        `<a href="${BASE}b.html">B</a>`,
      ),
      '404.html': page('', ''),
      'assets/chunks/@localSearchIndexroot.js': `const e='{"1":"${BASE}a.html#it"}';export{e as default};`,
      'assets/x.css': `a { background: url(${BASE}assets/x.png) }`,
      'assets/chunks/app.js': `const a=()=>{return"${BASE}"};const b="${BASE}assets/y.js";`,
    })
    finishSite({ folder, root, codeStyle: '.c {}' })
    const text = read('guides/a.html')
    expect(text).not.toContain(BASE)
    expect(text).toContain('<a href="../b.html">')
    expect(text).toMatch(/<script src="\.\.\/assets\/page\.\w+\.js"><\/script>/)
    expect(text).toMatch(/<script id="i" src="\.\.\/assets\/page\.\w+\.js"><\/script>/)
    expect(text).toContain('<script type="module" src="../assets/chunks/app.js"></script>')
    expect(text).toMatch(
      /Content-Security-Policy" content="[^"]*script-src 'self' 'wasm-unsafe-eval';/,
    )
    expect(read('assets/x.css')).toContain('url(../assets/x.png)')
    expect(read('assets/chunks/app.js')).toBe(
      'const a=()=>{return(new URL("../../",import.meta.url).pathname)};' +
        'const b=(new URL("../../assets/y.js",import.meta.url).pathname);',
    )
    const index = read('assets/chunks/@localSearchIndexroot.js')
    const evaluated = new Function(
      'base',
      index
        .replace('new URL("../../",import.meta.url).pathname', 'base')
        .replace(/export.*/, 'return e'),
    )
    expect(JSON.parse(evaluated('/sub/'))).toEqual({ 1: '/sub/a.html#it' })
    // Only there, no address is known; its script is named by its hash.
    expect(read('404.html')).toMatch(/script-src 'self' 'wasm-unsafe-eval' 'sha256-[\w+/=]+'/)
  })

  test('does not take the base in a place that is not known', () => {
    write({ 'assets/app.js': `const a = \`x ${BASE} y\``, '404.html': '' })
    expect(() => finishSite({ folder, root, codeStyle: '' })).toThrow(
      /assets\/app\.js has the base/,
    )
  })
})

describe('the check', () => {
  test('finds nothing in a site that is right', () => {
    write({
      'index.html': '<a href="./a/b.html#there">B</a><a href="https://example.com/">E</a>',
      'a/b.html': '<h2 id="there"></h2><a href="../">up</a><img src="x.png"><a href="#there">t</a>',
      'a/x.png': '',
    })
    expect(checkSite(folder)).toEqual([])
  })

  test('names links, anchors and files that lead nowhere, and other hosts', () => {
    write({
      'index.html':
        '<a class="x" href="./gone.html">1</a><a href="#gone">2</a><img src="gone.png">' +
        '<script type="module" src="https://cdn.example/x.js"></script>' +
        '<link rel="preconnect" href="//fonts.example">',
      'a.css':
        '@import "https://fonts.example/x.css"; a { background: url(data:image/png;base64,x) }',
    })
    expect(checkSite(folder)).toEqual([
      'a.css loads https://fonts.example/x.css from another host',
      'index.html links to #gone: index.html has no heading #gone',
      'index.html links to ./gone.html: there is no gone.html',
      'index.html loads //fonts.example from another host',
      'index.html loads gone.png, which is not there',
      'index.html loads https://cdn.example/x.js from another host',
    ])
  })
})

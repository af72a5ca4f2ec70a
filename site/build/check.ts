import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix, sep } from 'node:path'

/** What a page has that others may link to, and what it links to itself. */
interface Page {
  readonly anchors: ReadonlySet<string>
  /** Targets of links, as they are written. */
  readonly links: readonly string[]
  /** Files that a browser loads by itself. */
  readonly loads: readonly string[]
}

/**
 * Looks for what is wrong with the built site: links and anchors that lead nowhere, files that are
 * missing, and anything that a browser would load from another host.
 *
 * @param folder where the site is
 * @param elsewhere folders of the site that are not there yet, such as `playground/`
 * @returns a line for each problem
 */
export function checkSite(folder: string, elsewhere: readonly string[] = []): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) =>
    name.split(sep).join('/'),
  )
  const pages = new Map<string, Page>()
  for (const file of files) {
    if (file.endsWith('.html') && !elsewhere.some((known) => file.startsWith(known)))
      pages.set(file, pageIn(readFileSync(join(folder, file), 'utf8')))
  }
  const problems = new Set<string>()
  for (const [file, { links, loads }] of pages) {
    for (const target of loads) {
      if (target.startsWith('data:')) continue
      if (isElsewhere(target)) problems.add(`${file} loads ${target} from another host`)
      else if (!existsSync(join(folder, resolved(file, target).path)))
        problems.add(`${file} loads ${target}, which is not there`)
    }
    for (const target of links) {
      if (isElsewhere(target)) continue
      const { path, anchor } = resolved(file, target)
      const page = pages.get(path)
      if (page === undefined && !existsSync(join(folder, path)))
        problems.add(`${file} links to ${target}: there is no ${path}`)
      else if (anchor !== '' && page !== undefined && !page.anchors.has(anchor))
        problems.add(`${file} links to ${target}: ${path} has no heading #${anchor}`)
    }
  }
  for (const file of files.filter((name) => name.endsWith('.css'))) {
    const style = readFileSync(join(folder, file), 'utf8')
    for (const [, address = ''] of style.matchAll(/(?:url\(|@import )["']?([^"')]+)/g)) {
      if (isElsewhere(address) && !address.startsWith('data:'))
        problems.add(`${file} loads ${address} from another host`)
    }
  }
  return [...problems].sort()
}

function pageIn(text: string): Page {
  const anchors = new Set([...text.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => plain(id)))
  const links = [...text.matchAll(/<a\s[^>]*?href="([^"]*)"/g)].map(([, href = '']) => plain(href))
  const loads = [
    ...text.matchAll(/<(?:script|img|iframe|source|video)\s[^>]*?src="([^"]+)"/g),
    ...text.matchAll(/<link\s[^>]*?href="([^"]+)"/g),
  ].map(([, address = '']) => plain(address))
  return { anchors, links, loads }
}

function resolved(file: string, target: string): { path: string; anchor: string } {
  const [written = '', anchor = ''] = target.split('#')
  const path = written.replace(/\?.*$/, '')
  const joined = path === '' ? file : posix.join(posix.dirname(file), decodeURI(path))
  const page = joined.endsWith('/') || joined === '.' ? posix.join(joined, 'index.html') : joined
  return { path: page, anchor: decodeURIComponent(anchor) }
}

function isElsewhere(target: string): boolean {
  return /^([a-z][a-z+.-]*:|\/\/)/i.test(target)
}

/** The text of an attribute. */
function plain(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}

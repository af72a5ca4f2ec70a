import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import type { DefaultTheme } from 'vitepress'
import { slug } from './slug.ts'
import { isPage, siteFile } from './where.ts'

type Item = DefaultTheme.SidebarItem

interface Page {
  readonly text: string
  /** Its path in the repository. */
  readonly file: string
}

interface Group {
  readonly title: string
  readonly pages: Page[]
}

/** A part of the site, with a sidebar of its own: what a `##` of the contents begins. */
interface Part {
  readonly title: string
  readonly groups: Group[]
}

const CONTENTS = 'docs/README.md'
const ALL_ERRORS = 'docs/reference/errors.md'
const DECISIONS = 'docs/decisions'

/** The part in which the pages of a folder are, unless the contents say another; the first that fits. */
const PART_OF_FOLDER: readonly (readonly [folder: string, part: string])[] = [
  ['learn/', 'Learn'],
  ['guides/how-to/', 'Learn'],
  ['guides/', 'Guides'],
  ['reference/', 'Reference'],
  ['errors/', 'Reference'],
  ['examples/', 'Examples'],
  ['source/', 'Examples'],
  ['reports/', 'Background'],
  ['', 'Background'],
]

/**
 * The navigation of the site, from the contents in docs/README.md and from the folders: a page
 * that the contents do not list stands at the end of the part of its folder.
 *
 * @param root the repository's folder
 */
export function navigation(root: string): Required<Pick<DefaultTheme.Config, 'nav' | 'sidebar'>> {
  const parts = contents(readFileSync(join(root, CONTENTS), 'utf8'))
  addUnlisted(root, parts)
  const nav: DefaultTheme.NavItem[] = []
  const sidebar: DefaultTheme.SidebarMulti = {}
  const moved = parts.flatMap(({ title, groups }) =>
    groups
      .flatMap(({ pages }) => pages)
      .map(({ file }) => path(file))
      .filter((page) => partOf(page) !== title),
  )
  for (const part of parts) {
    const pages = part.groups.flatMap((group) => group.pages)
    const first = pages[0]
    if (first === undefined) continue
    const items = part.groups.map(sidebarGroup)
    const folders = PART_OF_FOLDER.filter(([, title]) => title === part.title)
    const elsewhere = pages
      .map(({ file }) => path(file))
      .filter((page) => partOf(page) !== part.title)
    const paths = [...folders.map(([folder]) => `/${folder}`), ...elsewhere]
    for (const prefix of paths) sidebar[prefix] = items
    const own = part.title === 'Background' ? pages.map(({ file }) => path(file)) : paths
    const left = moved.filter((page) => partOf(page) === part.title).map((page) => `${page}$`)
    const inside = PART_OF_FOLDER.filter(
      ([folder, title]) =>
        title !== part.title && folders.some(([own]) => own !== '' && folder.startsWith(own)),
    ).map(([folder]) => `/${folder}`)
    const others = [...left, ...inside]
    const unless = others.length === 0 ? '' : `(?!${others.join('|')})`
    nav.push({
      text: part.title,
      link: linkOf(first.file),
      activeMatch: `^${unless}(${own.join('|')})`,
    })
  }
  Object.assign(sidebar, errorSidebar(root), decisionSidebars(root))
  // VitePress takes the path with the most segments, and of those the first: pages before folders.
  const ordered = Object.entries(sidebar).sort(([a], [b]) => b.length - a.length)
  return { nav, sidebar: Object.fromEntries(ordered) }
}

/** The parts that docs/README.md has: `##` begins a part, `###` a group, a list item is a page. */
function contents(text: string): Part[] {
  const parts: Part[] = []
  for (const line of text.split('\n')) {
    const heading = /^(##|###) (.+)$/.exec(line)
    if (heading?.[1] === '##') parts.push({ title: heading[2] ?? '', groups: [] })
    if (heading?.[1] === '###') parts.at(-1)?.groups.push({ title: heading[2] ?? '', pages: [] })
    const item = /^(?:- |(?<number>\d+\. ))\[(?<text>.+?)\]\((?<target>[^)#]+)\)/.exec(line)?.groups
    const part = parts.at(-1)
    if (item === undefined || part === undefined) continue
    if (part.groups.length === 0) part.groups.push({ title: part.title, pages: [] })
    const file = posix.join(posix.dirname(CONTENTS), item.target ?? '')
    part.groups.at(-1)?.pages.push({ text: plain(`${item.number ?? ''}${item.text}`), file })
  }
  return parts
}

/** Adds the pages that the contents do not list to the part of their folder. */
function addUnlisted(root: string, parts: readonly Part[]): void {
  const listed = new Set(
    parts
      .flatMap(({ groups }) => groups)
      .flatMap(({ pages }) => pages)
      .map(({ file }) => file),
  )
  const groups = new Map<string, Group>()
  for (const file of pagesOf(root)) {
    if (listed.has(file) || file === CONTENTS || /^docs\/(decisions|errors)\//.test(file)) continue
    const title = partOf(path(file))
    const part = parts.find((one) => one.title === title)
    if (part === undefined) throw new Error(`${CONTENTS} has no part ${title}, for ${file}`)
    // Those of an example stand below its name, others below that of their folder.
    const last = part.groups.at(-1)
    let group = groups.get(title)
    if (group === undefined && title === 'Examples' && last !== undefined) group = last
    if (group === undefined) {
      group = { title: 'More', pages: [] }
      part.groups.push(group)
    }
    groups.set(title, group)
    group.pages.push({ text: titleOf(root, file), file })
  }
}

function sidebarGroup({ title, pages }: Group): Item {
  return { text: title, items: pages.map(({ text, file }) => ({ text, link: linkOf(file) })) }
}

/**
 * The sidebar of the pages of errors: the areas of the list. With a link for each error, the
 * sidebars would be most of the site.
 */
function errorSidebar(root: string): DefaultTheme.SidebarMulti {
  const list = readFileSync(join(root, ALL_ERRORS), 'utf8')
  const areas = [...list.matchAll(/^## (.+)$/gm)].map(([, title = '']) => plain(title))
  const items = areas.map((text) => ({ text, link: `${linkOf(ALL_ERRORS)}#${slug(text)}` }))
  const all = { text: 'All', link: linkOf(ALL_ERRORS) }
  return { '/errors/': [{ text: 'Errors and warnings', items: [all, ...items] }] }
}

/** The sidebars of the decisions: all tens, and the titles of the ten that the page is in. */
function decisionSidebars(root: string): DefaultTheme.SidebarMulti {
  const tens = new Map<string, Item[]>()
  for (const name of readdirSync(join(root, DECISIONS)).sort()) {
    const number = /^\d\d\d(?=-)/.exec(name)?.[0]
    if (number === undefined) continue
    const file = `${DECISIONS}/${name}`
    const text = titleOf(root, file).replace(/^\d+\.? /, `${Number(number)}. `)
    const ten = number.slice(0, -1)
    tens.set(ten, [...(tens.get(ten) ?? []), { text, link: linkOf(file) }])
  }
  const all = { text: 'All', link: linkOf(`${DECISIONS}/README.md`) }
  const sidebarOf = (open: string): Item[] => {
    const groups = [...tens].map(([ten, items]) => {
      const from = Number(ten) * 10
      const text = `${Math.max(1, from)} to ${from + 9}`
      return ten === open ? { text, items } : { text, link: items[0]?.link ?? '' }
    })
    return [{ text: 'Decisions', items: [all, ...groups] }]
  }
  return Object.fromEntries(
    [...tens.keys()].map((ten) => [`/decisions/${ten}`, sidebarOf(ten)] as const),
  )
}

function linkOf(file: string): string {
  return `${path(file)}.html`
}

function partOf(page: string): string {
  return PART_OF_FOLDER.find(([folder]) => page.slice(1).startsWith(folder))?.[1] ?? ''
}

/** Where a page of the repository is in the site, without a suffix. */
function path(file: string): string {
  return `/${siteFile(file).replace(/\.md$/, '')}`
}

function pagesOf(root: string): string[] {
  const files = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name.split(sep).join('/')}`,
    ),
  )
  return files.filter((file) => isPage(file) && !/(^|\/)(node_modules|\.[^/]*)\//.test(file)).sort()
}

function titleOf(root: string, file: string): string {
  const title = /^# (.+)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1]
  if (title === undefined) throw new Error(`${file} has no title: a first line that begins with #`)
  return plain(title)
}

/** Text without the marks of Markdown. */
function plain(text: string): string {
  return text.replaceAll('`', '')
}

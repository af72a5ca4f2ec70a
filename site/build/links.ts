import { existsSync, statSync } from 'node:fs'
import { dirname, join, posix, relative, resolve, sep } from 'node:path'
import type { MarkdownRenderer } from 'vitepress'
import { isPage, siteFile, sourcePage } from './where.ts'

/** In a page that the build makes, what begins so is a path from the repository's folder. */
export const IN_REPOSITORY = 'repository:'

/** What VitePress tells of the page that is rendered. */
interface Environment {
  /** The file of the repository. */
  readonly realPath?: string
  readonly path: string
  /** Its path in the site. */
  readonly relativePath: string
}

/**
 * Makes links of the repository into links of the site.
 *
 * A page links to files as they lie in the repository, so that it can be read there. Here the
 * target may be a page that has another address, or a file that is shown on a page of its own.
 * The links stay relative, so that the site works from any path.
 */
export function pageLinks(md: MarkdownRenderer, root: string): void {
  md.core.ruler.push('page-links', (state) => {
    const environment = state.env as Environment
    const file = environment.realPath ?? environment.path
    for (const block of state.tokens) {
      for (const token of block.children ?? []) {
        if (token.type !== 'link_open') continue
        const target = token.attrGet('href') ?? ''
        if (target.startsWith(IN_REPOSITORY)) {
          const named = join(root, target.slice(IN_REPOSITORY.length))
          token.attrSet('href', linkTo(root, join(root, 'page'), environment.relativePath, named))
        } else if (!/^([a-z]+:|#|\/)/i.test(target)) {
          token.attrSet('href', linkTo(root, file, environment.relativePath, target))
        }
      }
    }
  })
}

function linkTo(root: string, file: string, page: string, target: string): string {
  const [path = '', fragment] = target.split('#')
  const absolute = resolve(dirname(file), decodeURI(path))
  if (!existsSync(absolute)) {
    throw new Error(`${relative(root, file)} links to ${target}, which is not there`)
  }
  const named = sitePage(
    relative(root, absolute).split(sep).join('/'),
    statSync(absolute).isDirectory(),
    root,
  )
  const from = posix.dirname(page)
  const link = posix.relative(from, named) || posix.basename(named)
  return `./${link}`.replace(/\.md$/, '.html') + (fragment === undefined ? '' : `#${fragment}`)
}

function sitePage(file: string, isFolder: boolean, root: string): string {
  if (isFolder) {
    const readme = `${file}/README.md`
    return isPage(readme) && existsSync(join(root, readme)) ? siteFile(readme) : sourcePage(file)
  }
  return isPage(file) ? siteFile(file) : sourcePage(file)
}

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, join, posix, relative, resolve, sep } from 'node:path'
import { IN_REPOSITORY } from './links.ts'
import { isPage, sourcePage } from './where.ts'

/** A page that VitePress makes of `source/[file].md`. */
interface SourcePage {
  readonly params: { readonly file: string; readonly title: string }
  readonly content: string
}

/** The languages of the blocks, where the suffix is not its name. */
const LANGUAGES: Readonly<Record<string, string>> = {
  '.conf': 'nginx',
  '.service': 'ini',
  '.socket': 'ini',
  '.txt': 'text',
  '.cfg': 'ini',
  '.mjs': 'js',
  '.yml': 'yaml',
  '.md': 'markdown',
}
/** Files with these names are shown as text, which others are not. */
const TEXT =
  /(\.(c|cfg|conf|css|html|ini|js|json|md|mjs|py|service|sh|socket|toml|ts|tsx|txt|vue|ya?ml)|(^|\/)(Dockerfile[^/]*|Caddyfile|LICENSE|\.gitignore|\.dockerignore))$/
/** Files with these names are shown as images. */
const IMAGE = /\.(png|svg)$/

/**
 * The pages that show files of the repository: those that pages link to, and all files below the
 * folders that pages link to. So a link to an example leads somewhere without a network.
 *
 * @param root the repository's folder
 */
export function sourcePages(root: string): SourcePage[] {
  const files = new Set(
    execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
      .split('\n')
      .filter((file) => file !== '' && !/package-lock\.json$/.test(file))
      .filter((file) => existsSync(join(root, file))),
  )
  const shown = new Set<string>()
  for (const page of files) {
    if (!isPage(page)) continue
    for (const target of linksOf(root, page)) show(target)
  }
  return [...shown].sort().map((file) => pageOf(root, file, files))

  function show(file: string): void {
    if (shown.has(file)) return
    if (files.has(file)) {
      if (!isPage(file)) shown.add(file)
      return
    }
    const inside = [...files].filter((one) => one.startsWith(`${file}/`))
    if (inside.length === 0) return
    if (!files.has(`${file}/README.md`) || !isPage(`${file}/README.md`)) shown.add(file)
    for (const one of inside) show(`${file}/${one.slice(file.length + 1).split('/')[0]}`)
  }
}

/** The files of the repository that a page links to. */
function linksOf(root: string, page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replace(/^( *)(```+)[\s\S]*?^\1\2$/gm, '')
  return [...text.matchAll(/(?<!!)\]\((?<target>[^)\s#]+)[^)]*\)/g)]
    .map((match) => match.groups?.target ?? '')
    .filter((target) => !/^[a-z]+:/i.test(target))
    .map((target) => relative(root, resolve(root, dirname(page), decodeURI(target))))
    .map((file) => file.split(sep).join('/'))
    .filter((file) => !file.startsWith('..') && existsSync(join(root, file)))
}

function pageOf(root: string, file: string, files: ReadonlySet<string>): SourcePage {
  const params = { file: sourcePage(file).slice('source/'.length, -'.md'.length), title: file }
  const path = join(root, file)
  if (statSync(path).isDirectory()) return { params, content: folderOf(file, files) }
  if (IMAGE.test(file)) {
    const from = join(root, 'site', 'source', dirname(params.file))
    const image = relative(from, path).split(sep).join('/')
    return { params, content: `# ${file}\n\n![${posix.basename(file)}](${image})\n` }
  }
  if (!TEXT.test(file)) return { params, content: `# ${file}\n\nThis file is not text.\n` }
  const code = readFileSync(path, 'utf8').replace(/\n*$/, '\n')
  const ticks = '`'.repeat(Math.max(3, ...[...code.matchAll(/`+/g)].map(([run]) => run.length + 1)))
  return { params, content: `# ${file}\n\n${ticks}${languageOf(file)}\n${code}${ticks}\n` }
}

function languageOf(file: string): string {
  if (/(^|\/)Dockerfile/.test(file)) return 'docker'
  const suffix = extname(file)
  return LANGUAGES[suffix] ?? (suffix.slice(1) || 'text')
}

function folderOf(folder: string, files: ReadonlySet<string>): string {
  const names = new Set(
    [...files]
      .filter((file) => file.startsWith(`${folder}/`))
      .map((file) => file.slice(folder.length + 1).split('/'))
      .map(([name, ...rest]) => (rest.length > 0 ? `${name}/` : name)),
  )
  const items = [...names].sort().map((name) => {
    const target = posix.join(folder, name?.replace(/\/$/, '') ?? '')
    return `- [${name}](${IN_REPOSITORY}${target})`
  })
  return `# ${folder}\n\n${items.join('\n')}\n`
}

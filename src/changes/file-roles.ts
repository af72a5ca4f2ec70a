import { basename, extname, sep } from 'node:path'

/**
 * What a file is to an application, by its name:
 *
 * - `source`: a module;
 * - `template`: read by the application, which may keep it in memory;
 * - `static`: read for each request, or by something else; a browser shows the change;
 * - `other`: nothing that the application would notice.
 */
export type FileRole = 'source' | 'template' | 'static' | 'other'

const PYTHON = new Set(['.py'])
const JAVASCRIPT = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs', '.json', '.node'])
const TEMPLATES = new Set(
  '.html .htm .xhtml .jinja .jinja2 .j2 .djhtml .mako .tmpl .tpl .pt .ejs .hbs .njk .pug .eta'
    .split(' ')
    .concat('.liquid', '.mustache', '.twig', '.genshi', '.chameleon'),
)
const STATIC = new Set(
  '.css .js .mjs .map .svg .png .jpg .jpeg .gif .webp .avif .ico .woff .woff2 .ttf'.split(' '),
)
const TEMPLATE_FOLDERS = new Set(['templates', 'jinja2', 'views'])
const STATIC_FOLDERS = new Set(['static', 'public', 'assets', 'media'])

/** Copies that editors make for themselves, and folders that are never part of an application. */
const SKIPPED = /^\.|~$|^#.*#$|^4913$|___jb_\w+___$/
const SKIPPED_FOLDERS = new Set(['node_modules', '__pycache__', 'site-packages', 'dist-packages'])

/** Whether a file or folder is not looked at, whatever it is. */
export function isSkipped(path: string): boolean {
  const name = basename(path)
  return SKIPPED.test(name) || SKIPPED_FOLDERS.has(name)
}

/**
 * @param path below `root`
 * @param isPython whether the application is in Python
 */
export function roleOf(path: string, root: string, isPython: boolean): FileRole {
  const extension = extname(path).toLowerCase()
  const folders = path.slice(root.length).split(sep).slice(0, -1)
  if (folders.some((folder) => STATIC_FOLDERS.has(folder)) && extension !== '.py') return 'static'
  if (TEMPLATES.has(extension)) return 'template'
  if ((isPython ? PYTHON : JAVASCRIPT).has(extension)) return 'source'
  if (folders.some((folder) => TEMPLATE_FOLDERS.has(folder)) && extension !== '.pyc')
    return 'template'
  return STATIC.has(extension) ? 'static' : 'other'
}

const STANDARD_LIBRARY = /[/\\]lib\d*[/\\]python\d[^/\\]*[/\\](?!(?:site|dist)-packages[/\\])/
const PACKAGE = /[/\\](?:site-packages|dist-packages|node_modules)[/\\]/

/** Whether a file that was loaded belongs to Python itself, which does not change. */
export function isOfStandardLibrary(path: string): boolean {
  return STANDARD_LIBRARY.test(path) || !path.startsWith('/')
}

/** Whether a file that was loaded belongs to an installed package. */
export function isOfPackage(path: string): boolean {
  return PACKAGE.test(path)
}

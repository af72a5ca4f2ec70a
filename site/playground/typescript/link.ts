// Not its WebAssembly, which takes a worker with a global Buffer for Node.js.
import { parse } from 'es-module-lexer/js'
import { nameUrl } from './stacks.ts'

/** Why a program cannot be linked: one line, with the file. */
export class LinkError extends Error {
  readonly code = 'cannot-link'
}

/** The modules of the page that programs may import, by their names. */
export type PageModules = Readonly<Record<string, object>>

/** JavaScript by the names of the files, which end in .ts */
export type Sources = Readonly<Record<string, string>>

const SHARED = '__tutorialModules'

/**
 * Makes a module of each file, as a blob: URL, and returns the URL of `main`. A blob has no
 * neighbours, so every import is replaced by the URL of what it names; a file is made before those
 * that import it.
 *
 * @param replace gives other source for an import of a file, to put something around it
 * @throws LinkError
 */
export function linkModules(
  sources: Sources,
  main: string,
  modules: PageModules,
  replace: (name: string, url: string) => string | null = () => null,
): string {
  const urls = new Map<string, string>()
  const pageUrls = new Map<string, string>()
  const underWay: string[] = []
  Object.assign(globalThis, { [SHARED]: modules })

  function urlOf(name: string): string {
    const known = urls.get(name)
    if (known !== undefined) return known
    if (underWay.includes(name)) {
      const ring = [...underWay.slice(underWay.indexOf(name)), name].join(' → ')
      throw new LinkError(`${ring}: in the page, files cannot import each other in a ring`)
    }
    underWay.push(name)
    const url = blobUrl(`${linked(name)}\n//# sourceURL=${name}`)
    underWay.pop()
    nameUrl(url, name)
    urls.set(name, url)
    return url
  }

  function linked(name: string): string {
    const source = sources[name]!
    let result = ''
    let end = 0
    for (const each of importsOf(source, name)) {
      let replaced: string
      if (each.type === 'import-meta') {
        const path = `/tutorial/${name}`
        replaced = `({ url: 'file://${path}', dirname: '/tutorial', filename: '${path}' })`
      } else {
        // import() of an expression fails when it runs.
        if (each.specifier === undefined) continue
        const url = resolve(each.specifier, name)
        replaced = each.type === 'dynamic' ? JSON.stringify(url) : url
      }
      result += source.slice(end, each.start) + replaced
      end = each.end
    }
    return result + source.slice(end)
  }

  function resolve(specifier: string, from: string): string {
    if (specifier.startsWith('./')) {
      const name = specifier.slice(2)
      if (!Object.hasOwn(sources, name)) {
        const better = Object.hasOwn(sources, `${name}.ts`) ? `; write './${name}.ts'` : ''
        throw new LinkError(`${from}: there is no file ${specifier}${better}`)
      }
      const url = urlOf(name)
      const other = replace(name, url)
      return other === null ? url : blobUrl(other)
    }
    return pageModule(specifier, from)
  }

  function pageModule(specifier: string, from: string): string {
    if (!Object.hasOwn(modules, specifier)) {
      const known = Object.keys(modules).join(', ')
      throw new LinkError(
        `${from}: the page has no module '${specifier}', only your files (./NAME.ts) and ${known}`,
      )
    }
    const made = pageUrls.get(specifier)
    if (made !== undefined) return made
    const exported = Object.keys(modules[specifier]!).filter((each) => each !== 'default')
    const url = blobUrl(
      [
        `const module = globalThis.${SHARED}[${JSON.stringify(specifier)}]`,
        ...exported.map((each) => `export const ${each} = module.${each}`),
        'export default module',
      ].join('\n'),
    )
    pageUrls.set(specifier, url)
    nameUrl(url, specifier)
    return url
  }

  return urlOf(main)
}

function importsOf(source: string, name: string) {
  try {
    return parse(source, name)[0]
  } catch (error) {
    throw new LinkError(`${name}: ${(error as Error).message}`)
  }
}

function blobUrl(source: string): string {
  return URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
}

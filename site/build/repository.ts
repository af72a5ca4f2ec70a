import { readFileSync } from 'node:fs'

interface Manifest {
  readonly version: string
  readonly description: string
  readonly repository?: string | { readonly url?: string; readonly directory?: string }
}

/** The repository's package.json. */
export const manifest: Manifest = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
)

/**
 * The address of a file in the repository's web pages.
 *
 * @param view `edit` or `blob`, as GitHub and GitLab name them, and other hosts understand
 * @param path the file's path, or `:path`
 * @param repository of package.json: an address, or a short form of npm such as `github:a/b`
 * @returns undefined if it names none: none is invented
 * @example repositoryPage('edit', 'a.md', 'x/y') // 'https://github.com/x/y/edit/main/a.md'
 */
export function repositoryPage(
  view: 'edit' | 'blob',
  path: string,
  repository: Manifest['repository'] = manifest.repository,
): string | undefined {
  const named = typeof repository === 'string' ? repository : repository?.url
  if (named === undefined) return undefined
  const short = /^(?:(?<host>github|gitlab):)?(?<name>[\w.-]+\/[\w.-]+)$/.exec(named)?.groups
  const address =
    short === undefined
      ? named
          .replace(/^git\+/, '')
          .replace(/^(ssh:\/\/)?git@([^/:]+)[/:]/, 'https://$2/')
          .replace(/^(git|http):/, 'https:')
      : `https://${short.host ?? 'github'}.com/${short.name}`
  const home = address.replace(/(\.git)?\/?$/, '')
  const separator = /^https:\/\/gitlab\./.test(home) ? '/-' : ''
  return `${home}${separator}/${view}/main/${path}`
}

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
 * @param view `edit` or `blob`, as GitHub, GitLab and Forgejo name them
 * @param path the file's path, or `:path`
 * @returns undefined if package.json names no repository: none is invented
 */
export function repositoryPage(view: 'edit' | 'blob', path: string): string | undefined {
  const { repository } = manifest
  const named = typeof repository === 'string' ? repository : repository?.url
  if (named === undefined) return undefined
  const short = /^(?:(?<host>github|gitlab|bitbucket):)?(?<path>[\w.-]+\/[\w.-]+)$/.exec(named)
  const address =
    short === null
      ? named.replace(/^git\+/, '').replace(/^git:/, 'https:')
      : `https://${short.groups?.host ?? 'github'}.${short.groups?.host === 'bitbucket' ? 'org' : 'com'}/${short.groups?.path}`
  return `${address.replace(/\.git$/, '')}/${view}/main/${path}`
}

import { expect, test, vi } from 'vitest'
import { repositoryPage } from './repository.ts'

const EDIT = 'https://github.com/someone/project/edit/main/docs/a.md'

test.each([
  ['someone/project', EDIT],
  ['github:someone/project', EDIT],
  ['https://github.com/someone/project', EDIT],
  [{ type: 'git', url: 'git+https://github.com/someone/project.git' }, EDIT],
  [{ url: 'git+ssh://git@github.com/someone/project.git' }, EDIT],
  ['git@github.com:someone/project.git', EDIT],
  ['git://github.com/someone/project.git', EDIT],
  ['gitlab:someone/project', 'https://gitlab.com/someone/project/-/edit/main/docs/a.md'],
])('a page of the repository %j can be edited', (repository, address) => {
  expect(repositoryPage('edit', 'docs/a.md', repository)).toBe(address)
})

test.each([
  ['a repository', 'someone/project', 'https://github.com/someone/project/edit/main/:path'],
  ['no repository', undefined, undefined],
])('with %s in package.json, each page has a link to edit it, or none', async (_, named, link) => {
  vi.resetModules()
  vi.doMock('./repository.ts', async (original) => {
    const actual = await original<typeof import('./repository.ts')>()
    return {
      manifest: actual.manifest,
      repositoryPage: (view: 'edit' | 'blob', path: string) =>
        named === undefined ? undefined : actual.repositoryPage(view, path, named),
    }
  })
  const { default: config } = await import('../.vitepress/config.ts')
  expect(config.themeConfig?.editLink?.pattern).toBe(link)
  vi.doUnmock('./repository.ts')
  // VitePress is large.
})

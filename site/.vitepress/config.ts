import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DefaultTheme, defineConfig, type UserConfig } from 'vitepress'
import { checkSite } from '../build/check.ts'
import { codeStyle } from '../build/code-style.ts'
import { languageTabs } from '../build/language-tabs.ts'
import { pageLinks } from '../build/links.ts'
import { navigation } from '../build/navigation.ts'
import { PACKAGES, packagesOf } from '../build/packages.mjs'
import { playgrounds } from '../build/playgrounds.ts'
import { BASE, finishSite } from '../build/portable.ts'
import { manifest, repositoryPage } from '../build/repository.ts'
import { slug } from '../build/slug.ts'
import { noPages, siteFile } from '../build/where.ts'
import { EARLY_SCRIPT } from '../client/languages.ts'

type Plugin = Extract<
  NonNullable<NonNullable<UserConfig['vite']>['plugins']>[number],
  { name: string }
>

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = new Set<string>()
const isBuild = process.argv.includes('build')
const editPattern = repositoryPage('edit', ':path')

/** Renders a page for the index of the search, whose code needs no colours. */
const renderForSearch: DefaultTheme.LocalSearchOptions['_render'] = (text, env, md) => {
  const { highlight } = md.options
  // The renderer is that of the pages too.
  md.options.highlight = null
  try {
    const html = md.render(text, env)
    return env.frontmatter?.search === false ? '' : html
  } finally {
    md.options.highlight = highlight
  }
}

/**
 * The site: the pages of the repository as they stand, read where they are. `where.ts` says which
 * address each gets; nothing is copied, so `npm run site -- --dev` shows each change at once.
 */
export default defineConfig({
  lang: 'en',
  title: 'Monoceros',
  description: manifest.description,
  base: isBuild ? BASE : '/',
  srcDir: '..',
  outDir: './dist',
  cacheDir: './.cache',
  srcExclude: noPages(root),
  rewrites: siteFile,
  // What the commands of a page serve.
  ignoreDeadLinks: 'localhostLinks',
  metaChunk: true,
  // Firefox takes the policy of the site for a ban, and complains of every link on the screen.
  router: { prefetchLinks: false },
  head: [
    ['meta', { name: 'color-scheme', content: 'light dark' }],
    ['link', { rel: 'icon', type: 'image/svg+xml', href: `${isBuild ? BASE : '/'}icon.svg` }],
    ['script', { id: 'language' }, EARLY_SCRIPT],
  ],
  markdown: {
    anchor: { slugify: slug },
    codeTransformers: isBuild ? [codeStyle] : [],
    languageAlias: { console: 'shellsession', haproxy: 'nginx', caddy: 'nginx' },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config(md) {
      md.use(pageLinks, root)
      md.use(playgrounds)
      md.use(languageTabs)
    },
  },
  vite: {
    // The largest are the index of the search, which a search loads, and long pages.
    build: { chunkSizeWarningLimit: 4096 },
    plugins: [bundledPackages(), searchRanking()],
  },
  themeConfig: {
    ...navigation(root),
    outline: { level: [2, 3], label: 'On this page' },
    search: { provider: 'local', options: { detailedView: true, _render: renderForSearch } },
    externalLinkIcon: true,
    notFound: {
      title: 'There is no such page',
      quote: 'It may have another address now. Search for it, or start at the beginning.',
      linkText: 'To the start',
      linkLabel: 'To the start',
    },
    ...(editPattern !== undefined && {
      editLink: { pattern: editPattern, text: 'Edit this page' },
    }),
  },
  buildEnd({ outDir }) {
    writeFileSync(join(outDir, '..', PACKAGES), JSON.stringify([...packages]))
    finishSite({ folder: outDir, root, codeStyle: codeStyle.getCSS() })
    const problems = checkSite(outDir, ['playground/'])
    if (problems.length === 0) return
    throw new Error(`${join(outDir)}: ${problems.length} problems\n${problems.join('\n')}`)
  },
})

/**
 * Gives the search the options of `client/search-ranking.ts`. VitePress would take them from this
 * configuration, but it sends functions to the page as text, which the site's policy forbids to
 * evaluate.
 */
function searchRanking(): Plugin {
  const options = join(root, 'site', 'client', 'search-ranking.ts')
  return {
    name: 'search-ranking',
    enforce: 'pre',
    transform(code, id) {
      if (!/VPLocalSearchBox\.vue$/.test(id)) return null
      const given = /boost: \{ title: 4, text: 2, titles: 1 \},/
      if (!given.test(code)) this.error('the search of VitePress has other options now')
      const imported = `import { searchOptions } from ${JSON.stringify(options)}\n`
      return code
        .replace(given, '...searchOptions,')
        .replace(/<script [^>]*setup[^>]*>/, (tag) => `${tag}\n${imported}`)
    },
  }
}

/** Notes the npm packages that are in the scripts of the site, for their licences. */
function bundledPackages(): Plugin {
  return {
    name: 'bundled-packages',
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type === 'chunk')
          for (const name of packagesOf(chunk.moduleIds)) packages.add(name)
      }
    },
  }
}

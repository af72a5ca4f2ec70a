import DefaultTheme from 'vitepress/theme-without-fonts'
// After the default theme, whose variables it replaces.
import './style.css'
import { inBrowser, onContentUpdated, type Theme, useData } from 'vitepress'
import { h } from 'vue'
import { heroImage } from '../../client/hero-image.ts'
import { listenToTabs, markTabs } from '../../client/languages.ts'
import { fixAddresses, reachScrolling } from '../../client/page.ts'
import { mountPlaygrounds } from '../../client/playground.ts'
import { takeKey } from '../../client/save.ts'

export default {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': heroImage }),
  enhanceApp({ siteData }) {
    if (!inBrowser) return
    takeKey(siteData.value.base).catch((error) => console.error(error))
    fixAddresses()
    listenToTabs()
  },
  setup() {
    const { site } = useData()
    onContentUpdated(() => {
      markTabs()
      reachScrolling()
      mountPlaygrounds(site.value.base).catch((error) => console.error(error))
    })
  },
} satisfies Theme

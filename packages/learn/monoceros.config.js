/** The configuration of the server that `learn.js` starts. */
import { fileURLToPath } from 'node:url'
import { openBrowser } from './open-browser.js'
import { STATIC } from './pages.js'
import { readSession } from './session.js'

const session = readSession(process.env)

const config = {
  wsgi_app: './application.js:app',
  chdir: fileURLToPath(new URL('.', import.meta.url)),
  bind: session.bind,
  workers: 1,
  static: STATIC.map((folder) => `/${folder}=${session.site}/${folder}`),
  security_headers: true,
  loglevel: 'warning',
  when_ready: () => {
    const { address, key, once, save, browser } = session
    console.log(`The site is at ${save ? `${address}#key=${key}` : address}`)
    if (save) {
      const where = session.named ? session.folder : `new folders of ${session.folder}`
      console.log(`What you write in the page can be saved in ${where}.`)
    }
    console.log('Press Ctrl+C to stop.')
    if (browser)
      openBrowser(save ? `${address}#once=${once}` : address, process.env, process.platform)
  },
}

// biome-ignore lint/style/noDefaultExport: a config file has a default export
export { config as default }

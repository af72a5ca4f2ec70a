import { pythonApp, toNodeHandler } from 'monoceros'
import { defineConfig, type Plugin } from 'vite'

export default defineConfig({
  plugins: [guestbook()],
  server: { watch: { ignored: ['**/.venv/**', '**/__pycache__/**'] } },
})

function guestbook(): Plugin {
  const flask = pythonApp('guestbook:app', { chdir: 'python' })
  return {
    name: 'guestbook',
    apply: 'serve', // `vite build` needs no Python
    configureServer({ config, middlewares, watcher }) {
      middlewares.use('/py', toNodeHandler(flask))
      watcher.on('change', (file) => {
        if (!/\/python\/.*\.(py|html)$/.test(file)) return
        flask
          .reload()
          .catch((error) => config.logger.error(`The guestbook stays as it was. ${error.message}`))
      })
    },
    closeBundle: () => flask.close(),
  }
}

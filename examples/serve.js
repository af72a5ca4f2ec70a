/** Does what the command does, from a program: node serve.js hello --workers 2 */
import { loadSettings, SettingsError, serve } from 'monoceros'

const sources = { args: process.argv.slice(2), env: process.env }

try {
  const loaded = await loadSettings(sources)
  const readSettings = (signal) => loadSettings({ ...sources, signal })
  process.exit(await serve(loaded, { readSettings }))
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  console.error(error.message)
  process.exit(2)
}

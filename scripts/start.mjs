/**
 * `npm start`: serves examples/hello.py, or what its arguments say.
 *
 *     npm start                          the example, at http://127.0.0.1:8000
 *     npm start -- --bind :9000          the example, with these options
 *     npm start -- mysite.wsgi -w 2      another application
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const command = join(root, 'dist', 'cli', 'main.js')

if (!existsSync(command)) {
  const built = spawnSync('npm', ['run', 'build'], { cwd: root, stdio: 'inherit' })
  if (built.status !== 0) process.exit(built.status ?? 1)
}

const { namesApplication } = await import('../dist/cli/application-named.js')
const args = process.argv.slice(2)
const example = (await namesApplication({ args, env: process.env, cwd: process.cwd() }))
  ? []
  : ['--chdir', join(root, 'examples'), 'hello:application']

// The command runs in this process: the signals that stop it need no forwarding.
process.argv = [process.argv[0], command, ...example, ...args]
await import('../dist/cli/main.js')

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { ensureNode } from '../support/newer-node.ts'
import { NodeProject } from '../support/node-project.ts'
import { hasPython } from '../support/python.ts'
import { runServer } from '../support/running-server.ts'
import { useShop } from '../support/shop-cases.ts'

/** Their engines ask for more than the Node that runs the suite. */
const NODE = 24

/** Servers for which `toFetchHandler` makes a handler, as their projects build and start them. */
const frameworks = [
  { name: 'sveltekit', build: ['vite', 'build'], server: 'build/index.js' },
  { name: 'astro', build: ['astro', 'build'], server: 'dist/server/entry.mjs' },
  { name: 'nuxt', build: ['nuxt', 'build'], server: '.output/server/index.mjs' },
] as const

describe.skipIf(!hasPython()).each(frameworks)('$name', ({ name, build, server: program }) => {
  test('mounts Flask, as it is built for production', async () => {
    const project = await NodeProject.open(name, { node: await ensureNode(NODE) })
    onTestFinished(() => project.remove())
    cpSync(join(repository, 'tests/node-projects/shop.py'), join(project.path, 'shop.py'))
    const [tool, ...args] = build
    await project.run(tool, args, { NUXT_TELEMETRY_DISABLED: '1', ASTRO_TELEMETRY_DISABLED: '1' })

    const port = await freePort()
    const command = project.command(program, [])
    const server = await runServer({
      ...command,
      env: {
        ...command.env,
        PORT: `${port}`,
        HOST: '127.0.0.1',
        // SvelteKit: uploads of any size, and HTTPS only where the proxy says so.
        BODY_SIZE_LIMIT: 'Infinity',
        PROTOCOL_HEADER: 'x-forwarded-proto',
      },
      findAddresses: () => [`http://127.0.0.1:${port}`],
      isReady: (log) => /listening/i.test(log),
    })
    await useShop(server.url, '/shop', { 'X-Forwarded-Proto': 'http' })
    expect(server.workers().length).toBe(1)
  }, 400_000)
})

import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { NodeProject } from '../support/node-project.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { useShop } from '../support/shop-cases.ts'
import { withoutSlowStarts } from '../support/slow-starts.ts'
import { waitFor } from '../support/wait-for.ts'

describe.skipIf(!hasPython())('next build and next start, with Turbopack', () => {
  let project: NodeProject
  let server: RunningServer

  beforeAll(async () => {
    project = await openShop()
    await project.run('next', ['build'])
    server = await startNext(project, 'start')
    return () => project.remove()
  }, 900_000)

  test('a route handler of the App Router mounts Flask', async () => {
    await useShop(server.url, '/shop')
  })

  test('so does an API route of the Pages Router, and both have the same workers', async () => {
    await useShop(server.url, '/api/shop')
    expect(server.workers().length).toBe(1)
    expect(withoutSlowStarts(server.log())).not.toMatch(/error|warn/i)
  })

  test('a custom server mounts it before Next.js, which has the other addresses', async () => {
    const command = project.command('server.mjs', [])
    const port = await freePort()
    const custom = await runServer({
      ...command,
      env: { ...command.env, PORT: `${port}`, NODE_ENV: 'production' },
      findAddresses: () => [`http://127.0.0.1:${port}`],
      isReady: (log) => log.includes('Ready on'),
    })
    await useShop(custom.url, '/py')
    expect(await (await fetch(custom.url)).text()).toContain('the shop')
  })
})

describe.skipIf(!hasPython())("next build with webpack and output: 'standalone'", () => {
  test('runs in another folder, where its project is not', async () => {
    const project = await openShop()
    const moved = join(project.path, '..', `${project.path.split('/').at(-1)}-moved`)
    onTestFinished(() => {
      project.remove()
      rmSync(moved, { recursive: true, force: true })
    })
    const built = await project.run('next', ['build', '--webpack'], { STANDALONE: '1' })
    expect(built).toContain('Compiled successfully')
    expect(built).not.toContain('Critical dependency')
    mkdirSync(moved)
    cpSync(join(project.path, '.next', 'standalone'), moved, { recursive: true })
    const command = project.command('next', [])
    project.remove()

    const port = await freePort()
    const server = await runServer({
      ...command,
      args: [join(moved, 'server.js')],
      cwd: moved,
      env: {
        ...command.env,
        PORT: `${port}`,
        HOSTNAME: '127.0.0.1',
        VIRTUAL_ENV: testPython().prefix,
      },
      findAddresses: () => [`http://127.0.0.1:${port}`],
      isReady: (log) => log.includes('Ready in'),
    })
    await useShop(server.url, '/shop')
    await useShop(server.url, '/api/shop')
    // A build with webpack has taken six minutes on a busy machine.
  }, 1_500_000)
})

describe.skipIf(!hasPython())('next dev', () => {
  test('edits leave no Python behind, and a changed .py file is loaded', async () => {
    const project = await openShop()
    onTestFinished(() => project.remove())
    const server = await startNext(project, 'dev')
    const version = async () => await (await fetch(`${server.url}/shop/version`)).text()
    await waitFor('the first compilation', async () => (await version()) === 'one', 300_000)
    const [first, ...others] = server.workers()
    expect(others).toEqual([])

    const route = 'app/shop/[[...path]]/route.ts'
    const source = readFileSync(join(project.path, route), 'utf8')
    const edited = async () => {
      const answer = await fetch(`${server.url}/shop/version`)
      return `${answer.headers.get('x-edit')} ${await answer.text()}`
    }
    // The module that makes the application runs again.
    for (const edit of [1, 2, 3]) {
      project.edit(
        'lib/shop.ts',
        'export const shop',
        `export const edit${edit} = '${edit}'\nexport const shop`,
      )
      // The answers say which edit they come from.
      project.write(
        route,
        source
          .replace('import { shop }', `import { edit${edit}, shop }`)
          .replace('const handler = ', 'const mounted = ')
          .replace(
            'export {',
            `const handler = async (request: Request) => {
  const response = await mounted(request)
  response.headers.set('X-Edit', edit${edit})
  return response
}

export {`,
          ),
      )
      await waitFor('what was edited', async () => (await edited()) === `${edit} one`, 120_000)
    }
    expect(server.workers()).toEqual([first])

    project.edit('shop.py', 'return "one"', 'return "two"')
    await waitFor('the new version', async () => (await version()) === 'two', 60_000)
  }, 900_000)
})

async function openShop(): Promise<NodeProject> {
  const project = await NodeProject.open('next')
  cpSync(join(repository, 'tests/node-projects/shop.py'), join(project.path, 'shop.py'))
  return project
}

/** Starts `next start` or `next dev`. */
async function startNext(project: NodeProject, ...args: string[]): Promise<RunningServer> {
  const port = await freePort()
  return await runServer({
    ...project.command('next', [...args, '-p', `${port}`, '-H', '127.0.0.1']),
    findAddresses: () => [`http://127.0.0.1:${port}`],
    isReady: (log) => log.includes('Ready in'),
  })
}

import { join } from 'node:path'
import { commandPath, repository } from './build.ts'
import { freePort } from './free-port.ts'
import { type RunningServer, runServer } from './running-server.ts'

/** Serves a site as `monoceros learn` does, from the repository; the page may not save. */
export async function serveLearn({ site }: { readonly site: string }): Promise<RunningServer> {
  const bind = `127.0.0.1:${await freePort()}`
  const session = {
    ...{ key: 'key', once: 'once', site, folder: repository, cwd: repository },
    ...{ named: false, save: false, bind, hosts: [bind], address: `http://${bind}/` },
    browser: false,
  }
  return await runServer({
    command: process.execPath,
    args: [commandPath, '--config', join(repository, 'packages/learn/monoceros.config.js')],
    env: { ...process.env, MONOCEROS_LEARN: JSON.stringify(session) },
    cwd: repository,
    findAddresses: (log) => /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? [],
    isReady: (log) => log.includes('Press Ctrl+C to stop'),
    isWorker: () => false,
  })
}

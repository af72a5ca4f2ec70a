/**
 * A plugin for Vite that mounts applications, in Python or in TypeScript, in the servers of
 * `vite dev` and `vite preview`.
 *
 * A changed file reloads the application, and then the page. An error is shown in Vite's overlay,
 * with the calls of the application, until it is mended. `vite build` does nothing with it.
 *
 * @example
 * import { monoceros } from 'monoceros/vite'
 * import { defineConfig } from 'vite'
 *
 * export default defineConfig({
 *   plugins: [monoceros({ app: 'flaskapp:app', mount: '/api', chdir: 'python' })],
 * })
 *
 * @module
 */
import { resolve, sep } from 'node:path'
import type {
  DevEnvironment,
  Plugin,
  PreviewServer,
  RunnableDevEnvironment,
  UserConfig,
  ViteDevServer,
} from 'vite'
import { PythonOptionError } from '../python-app/python-error.ts'
import { importFile } from '../runtimes/node/import-file.ts'
import {
  type ServedApplication,
  serveModule,
  servePython,
  type ViteHost,
} from './served-application.ts'
import {
  type CheckedMount,
  checkMounts,
  type ViteMountOptions,
  withoutCalls,
} from './vite-options.ts'

export type { ViteMount, ViteMountOptions } from './vite-options.ts'

/** Folders with thousands of files that nobody edits. */
const UNWATCHED = ['**/.venv/**', '**/venv/**', '**/__pycache__/**']

/**
 * Makes the plugin.
 *
 * @param options an application and its mount, or several of them
 * @throws TypeError (`vite-option`) for a wrong option; `pythonApp` checks its own when the server
 * starts
 */
export function monoceros(options: ViteMountOptions | readonly ViteMountOptions[]): Plugin {
  const mounts = checkMounts(options)
  /** The applications of each server: when it restarts, there are two for a moment. */
  const served = new Map<object, readonly ServedApplication[]>()
  const end = async (server: object) => {
    const applications = served.get(server) ?? []
    served.delete(server)
    await Promise.all(applications.map((application) => application.close()))
  }
  return {
    name: 'monoceros',
    apply: 'serve',
    config: (config) => changedConfig(config, mounts),
    configureServer(server) {
      const applications = serve(mounts, developmentHost(server))
      // Not the server itself, which stays the same object when it restarts.
      served.set(server.environments.client, applications)
      return use(server, mounts, applications)
    },
    configurePreviewServer(server) {
      const applications = serve(mounts, previewHost(server))
      served.set(server, applications)
      server.httpServer.once('close', () => void end(server))
      return use(server, mounts, applications)
    },
    hotUpdate({ server, modules }) {
      if (this.environment.name === 'client' || modules.length === 0) return
      for (const application of served.get(server.environments.client) ?? []) application.changed()
    },
    closeBundle() {
      return end(this.environment)
    },
  }
}

function changedConfig(config: UserConfig, mounts: readonly CheckedMount[]): UserConfig {
  const root = resolve(config.root ?? '.')
  const ignored = [...UNWATCHED]
  for (const { isPython, python } of mounts) {
    const folder = resolve(root, python.chdir ?? '.')
    // Vite would load pages again at once, before the application has read its template again.
    if (isPython && folder.startsWith(root + sep)) ignored.push(`${folder}/**/*.html`)
  }
  return {
    server: { watch: { ignored } },
    // Vite's own answer for unknown paths would come before that of the application.
    ...(mounts.some(({ mount }) => mount === '/') ? { appType: 'custom' as const } : {}),
  }
}

function serve(mounts: readonly CheckedMount[], host: ViteHost): readonly ServedApplication[] {
  return mounts.map((mount) => {
    if (!mount.isPython) return serveModule(mount, host)
    const { chdir = '.' } = mount.python
    const python = { ...mount.python, chdir: resolve(host.root, chdir) }
    try {
      return servePython({ ...mount, python }, host)
    } catch (error) {
      throw error instanceof PythonOptionError ? withoutCalls(error) : error
    }
  })
}

/** @returns what is called when Vite has added its own middleware */
function use(
  { middlewares }: ViteDevServer | PreviewServer,
  mounts: readonly CheckedMount[],
  applications: readonly ServedApplication[],
): () => void {
  const last: ServedApplication[] = []
  for (const [index, application] of applications.entries()) {
    const { mount } = mounts[index]!
    if (mount === '/') last.push(application)
    else middlewares.use(mount, application.middleware)
  }
  return () => {
    for (const { middleware } of last) middlewares.use(middleware)
  }
}

function developmentHost(server: ViteDevServer): ViteHost {
  const { config } = server
  // Not taken from the server before they are used: a restart replaces them.
  const hot = () => server.environments.client.hot
  return {
    root: config.root,
    client: `${config.base}@vite/client`,
    log: config.logger,
    importModule: (file) => {
      const { ssr } = server.environments
      return isRunnableDevEnvironment(ssr) ? ssr.runner.import(file) : server.ssrLoadModule(file)
    },
    showError: (error) => hot().send({ type: 'error', err: { ...error } }),
    // The client removes its overlay when it gets an update.
    clearError: () => hot().send({ type: 'update', updates: [] }),
    refreshPages: () => hot().send({ type: 'full-reload', path: '*' }),
  }
}

function previewHost({ config }: PreviewServer): ViteHost {
  const nothing = () => {}
  return {
    root: config.root,
    client: null,
    log: config.logger,
    importModule: importFile,
    showError: nothing,
    clearError: nothing,
    refreshPages: nothing,
  }
}

/** As Vite's function of the same name, which would have to be imported when the plugin is. */
function isRunnableDevEnvironment(
  environment: DevEnvironment | undefined,
): environment is RunnableDevEnvironment {
  return environment !== undefined && 'runner' in environment
}

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'

/** A package in the registry. */
interface Published {
  readonly name: string
  readonly version: string
  readonly tarball: string
  /** Of its package.json, what npm reads before it downloads. */
  readonly bin?: Readonly<Record<string, string>>
}

/** A registry of npm on 127.0.0.1, with the tarballs that were put into it. */
export class NpmRegistry {
  readonly url: string
  /** Paths that were asked for. */
  readonly requests: string[] = []
  /** Called before a tarball is sent: a promise holds it back. */
  hold: () => Promise<void> | undefined = () => undefined
  readonly #server: Server
  readonly #packages = new Map<string, Published>()

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  static async start(): Promise<NpmRegistry> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const registry = new NpmRegistry(server)
    server.on('request', async (request, response) => {
      const path = request.url ?? ''
      registry.requests.push(path)
      const [, name = '', file] = path.split('/')
      const published = registry.#packages.get(name)
      if (published === undefined) return response.writeHead(404).end('{}')
      if (file === undefined) {
        response.writeHead(200, { 'Content-Type': 'application/json' })
        return response.end(JSON.stringify(registry.#document(published)))
      }
      await registry.hold()
      response.writeHead(200, { 'Content-Type': 'application/octet-stream' })
      response.end(readFileSync(published.tarball))
    })
    return registry
  }

  add(published: Published): void {
    this.#packages.set(published.name, published)
  }

  #document({ name, version, tarball, bin }: Published): object {
    const integrity = createHash('sha512').update(readFileSync(tarball)).digest('base64')
    const dist = {
      tarball: `${this.url}${name}/${basename(tarball)}`,
      integrity: `sha512-${integrity}`,
    }
    return {
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { name, version, ...(bin !== undefined && { bin }), dist } },
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

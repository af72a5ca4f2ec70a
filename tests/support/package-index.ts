import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import { testCertificate } from './test-certificate.ts'

/** A package to make a wheel of. */
export interface MadePackage {
  name: string
  version: string
  /** PEP 508. */
  requires?: string[]
  /** Python's own form: `>=3.9`. */
  requiresPython?: string
  /** The wheel's tag. */
  tag?: string
  /** Further files, by path. */
  files?: Record<string, string>
}

export interface MadeFile {
  filename: string
  content: Buffer
  sha256: string
  requiresPython: string | undefined
}

/** A wheel with one module of the package's name, which has its version in it. */
export function makeWheel(made: MadePackage): MadeFile {
  const { name, version, tag = 'py3-none-any' } = made
  const info = `${name}-${version}.dist-info`
  const files: Record<string, string> = {
    [`${name}/__init__.py`]: `version = ${JSON.stringify(version)}\n`,
    ...made.files,
    [`${info}/METADATA`]: [
      'Metadata-Version: 2.1',
      `Name: ${name}`,
      `Version: ${version}`,
      ...(made.requires ?? []).map((requirement) => `Requires-Dist: ${requirement}`),
      ...(made.requiresPython === undefined ? [] : [`Requires-Python: ${made.requiresPython}`]),
      '',
    ].join('\n'),
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: ${tag}\n`,
  }
  const record = Object.entries(files).map(([path, text]) => {
    const digest = createHash('sha256').update(text).digest('base64url')
    return `${path},sha256=${digest},${Buffer.byteLength(text)}`
  })
  files[`${info}/RECORD`] = [...record, `${info}/RECORD,,`, ''].join('\n')
  return madeFile(`${name}-${version}-${tag}.whl`, zip(files), made.requiresPython)
}

/** What stands for a source distribution: nobody gets as far as looking into it. */
export function makeSource(name: string, version: string): MadeFile {
  return madeFile(`${name}-${version}.tar.gz`, Buffer.from('no archive'), undefined)
}

function madeFile(filename: string, content: Buffer, requiresPython: string | undefined): MadeFile {
  return {
    filename,
    content,
    sha256: createHash('sha256').update(content).digest('hex'),
    requiresPython,
  }
}

/** A zip archive with its files stored as they are. */
function zip(files: Record<string, string>): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const [path, text] of Object.entries(files)) {
    const name = Buffer.from(path)
    const content = Buffer.from(text)
    // What local and central header have in common: version needed, flags, method, time, date
    // (1980-01-01), CRC, sizes, lengths.
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(0x21, 8)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(content.length, 14)
    common.writeUInt32LE(content.length, 18)
    common.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, content])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), common, rest, name]))
    parts.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(directory.length, 8)
  end.writeUInt16LE(directory.length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, central, end])
}

/** A package index on 127.0.0.1 (PEP 503), with what was put into it. */
export class PackageIndex {
  readonly url: string
  /** Paths that were asked for. */
  readonly requests: string[] = []
  /** Called before a file is sent: a promise holds it back. */
  hold: (filename: string) => Promise<void> | undefined = () => undefined
  readonly #server: Server
  readonly #files = new Map<string, MadeFile>()

  /** The port on 127.0.0.1. */
  readonly port: number

  private constructor(server: Server, secure: boolean) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.url = secure
      ? `https://index.test:${this.port}/simple`
      : `http://127.0.0.1:${this.port}/simple`
  }

  /**
   * @param secure with TLS and the test's certificate, as a host `index.test` that no resolver
   * knows
   */
  static async start(secure = false): Promise<PackageIndex> {
    const server = secure ? createSecureServer(testCertificate) : createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const index = new PackageIndex(server, secure)
    server.on('request', async (request, response) => {
      const path = request.url ?? ''
      index.requests.push(path)
      const [, folder, name = ''] = path.split('/')
      if (folder === 'simple') {
        const page = index.#page(name)
        return response
          .writeHead(page === '' ? 404 : 200, { 'Content-Type': 'text/html' })
          .end(page)
      }
      const file = index.#files.get(decodeURIComponent(name))
      if (file === undefined) return response.writeHead(404).end()
      await index.hold(file.filename)
      response.writeHead(200, {
        'Content-Type': 'application/octet-stream',
        'Content-Length': file.content.length,
      })
      response.end(file.content)
    })
    return index
  }

  /** Adds files; one of a name that is there already replaces it. */
  add(...files: MadeFile[]): void {
    for (const file of files) this.#files.set(file.filename, file)
  }

  #page(name: string): string {
    const links = [...this.#files.values()]
      .filter(({ filename }) => filename.startsWith(`${name.replaceAll('-', '_')}-`))
      .map(({ filename, sha256, requiresPython }) => {
        const escaped = requiresPython?.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
        const needs = escaped === undefined ? '' : ` data-requires-python="${escaped}"`
        return `<a href="/files/${filename}#sha256=${sha256}"${needs}>${filename}</a>`
      })
    return links.length === 0 ? '' : `<!DOCTYPE html><html><body>${links.join('\n')}</body></html>`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

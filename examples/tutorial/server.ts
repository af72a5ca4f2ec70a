import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import {
  type InputStream,
  type StartResponse,
  toFunction,
  type WSGIApplication,
  type WSGIEnvironment,
} from 'monoceros'
import { app } from './append.ts'

function serve(app: WSGIApplication, port: number) {
  const listener = createServer((connection) => {
    connection.on('error', () => connection.destroy()) // the client has left
    answer(connection, app, (listener.address() as AddressInfo).port).catch((error) => {
      console.error('A request failed:', error) // go on with the next client
      connection.destroy()
    })
  })
  listener.listen(port, () => {
    console.log(`Listening at http://localhost:${(listener.address() as AddressInfo).port}`)
  })
}

async function answer(connection: Socket, app: WSGIApplication, port: number) {
  let head = ''
  for await (const data of connection.iterator({ destroyOnReturn: false })) {
    head += data.toString('latin1')
    if (head.includes('\r\n\r\n')) break
  }
  const [requestLine = '', ...lines] = head.split('\r\n\r\n')[0]!.split('\r\n')
  const [method, target, protocol] = requestLine.split(' ')
  if (method === undefined || target === undefined || protocol === undefined) {
    connection.destroy()
    return // the client has left
  }
  const [path = '', ...query] = target.split('?')
  const environ: WSGIEnvironment = {
    REQUEST_METHOD: method,
    SCRIPT_NAME: '',
    PATH_INFO: path.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
    QUERY_STRING: query.join('?'),
    SERVER_NAME: 'localhost',
    SERVER_PORT: String(port),
    SERVER_PROTOCOL: protocol,
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.input': noBody,
    'wsgi.errors': {
      write: (text) => process.stderr.write(text),
      writelines: (lines) => process.stderr.write([...lines].join('')),
      flush: () => {},
    },
    'wsgi.multithread': false,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
  }
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toUpperCase().replaceAll('-', '_')
    environ[`HTTP_${name}`] = line.slice(colon + 1).trim()
  }

  let start: string[] | undefined
  let sent = false

  const startResponse: StartResponse = (status, headers, excInfo) => {
    if (excInfo && sent) throw excInfo
    if (start && !excInfo) throw new Error('startResponse was called twice')
    start = [`HTTP/1.1 ${status}`, ...headers.map(([name, value]) => `${name}: ${value}`)]
    return write
  }

  async function write(data: Uint8Array) {
    if (!start) throw new Error('startResponse was not called')
    if (!sent) {
      sent = true
      connection.write([...start, 'Connection: close', '', ''].join('\r\n'), 'latin1')
    }
    if (connection.write(data)) return
    // The client is slow: wait for it.
    await Promise.race([once(connection, 'drain'), once(connection, 'close')])
    if (connection.destroyed) throw new Error('the client has left')
  }

  const body = await toFunction(app)(environ, startResponse)
  try {
    for await (const piece of body) {
      // the head waits for the first piece that is not empty
      if (piece.length > 0) await write(piece)
    }
    if (!sent) await write(new Uint8Array())
  } finally {
    await body.close?.()
  }
  connection.end()
}

const noBody: InputStream = {
  read: async () => new Uint8Array(),
  readline: async () => new Uint8Array(),
  readlines: async () => [],
  async *[Symbol.asyncIterator]() {},
}

serve(app, 8000)

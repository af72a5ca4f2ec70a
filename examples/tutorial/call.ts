import {
  type StartResponse,
  setupTestingDefaults,
  type WSGIEnvironment,
  type WSGIFunction,
} from 'monoceros'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const app: WSGIFunction = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [encoder.encode('You asked for '), encoder.encode(environ.PATH_INFO), encoder.encode('\n')]
}

const startResponse: StartResponse = (status, headers) => {
  console.log(status)
  for (const [name, value] of headers) console.log(`${name}: ${value}`)
  console.log()
  return async () => {}
}

const environ: Partial<WSGIEnvironment> = { SCRIPT_NAME: '', PATH_INFO: '/books' }
setupTestingDefaults(environ) // all the other variables

for await (const piece of await app(environ, startResponse)) {
  process.stdout.write(decoder.decode(piece))
}

/** The same where there is no Node.js, and none of its types. */
import { readChunks, toFetchHandler, type WSGIApplication } from 'monoceros/fetch'

declare module 'monoceros/fetch' {
  interface WSGIEnvironment {
    'shop.country'?: string | undefined
  }
}

const app: WSGIApplication = async (environ, startResponse) => {
  const pieces: BlobPart[] = []
  for await (const piece of readChunks(environ['wsgi.input'])) pieces.push(piece)
  const country: string = environ['shop.country'] ?? 'unknown'
  // @ts-expect-error: it is text
  const wrong: number | undefined = environ['shop.country']
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode(`${country} ${new Blob(pieces).size} ${wrong}\n`)]
}

export default { fetch: toFetchHandler(app) }

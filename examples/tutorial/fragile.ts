import type { WSGIFunction } from 'monoceros'

const encoder = new TextEncoder()

export const app: WSGIFunction = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  if (environ.PATH_INFO === '/early') throw new Error('nothing was sent yet')
  return environ.PATH_INFO === '/late' ? late() : [encoder.encode('All is well\n')]
}

function* late() {
  yield encoder.encode('Half of the\n')
  throw new Error('the head was sent')
}

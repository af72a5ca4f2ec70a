import { bytes, Closing, plainText, register, tokenOf } from './registry.ts'

// PEP 3333, "Handling the Content-Length Header".

/** The chunks of `X-Chunks` (separated by `|`) under the Content-Length of `X-Length`, if any. */
register('with_length', (environ, startResponse) => {
  const headers = plainText()
  if (environ.HTTP_X_LENGTH !== undefined) headers.push(['content-LENGTH', environ.HTTP_X_LENGTH])
  startResponse(environ.HTTP_X_STATUS ?? '200 OK', headers)
  const chunks = (environ.HTTP_X_CHUNKS ?? '').split('|').map(bytes)
  return environ.HTTP_X_AS === 'list' ? chunks : new Closing(tokenOf(environ), chunks)
})

import { Console } from 'node:console'
import { bytes, plainText, register, tokenOf } from './registry.ts'

// PEP 3333, "Input and Error Streams": `wsgi.errors`.

class LookupError extends Error {
  override readonly name = 'LookupError'
}

/**
 * Uses `wsgi.errors` as `X-How` says; everything carries the token so that the log can be searched.
 */
register('errors_written', (environ, startResponse) => {
  const errors = environ['wsgi.errors']
  const token = tokenOf(environ)
  switch (environ.HTTP_X_HOW) {
    case 'write':
      errors.write(`first ${token}\n`)
      break
    case 'writelines':
      errors.writelines([`one ${token}\n`, `two ${token}\n`])
      break
    case 'flush':
      errors.write(`partial ${token}`)
      errors.flush()
      break
    case 'print':
      // Of a stream a console that does not hide errors uses write() alone.
      new Console({ stdout: errors as unknown as NodeJS.WritableStream, ignoreErrors: false }).log(
        'printed',
        token,
      )
      break
    case 'unicode':
      errors.write(`snowman \u2603 ${token}\n`)
      break
    case 'surrogate':
      errors.write(`surrogate \udc80 ${token}\n`)
      break
    case 'traceback':
      try {
        throw new LookupError(`trapped ${token}`)
      } catch (error) {
        const { name, message, stack = '' } = error as LookupError
        errors.writelines([
          `${name}: ${message}\n`,
          ...stack
            .split('\n')
            .slice(1)
            .map((line) => `${line}\n`),
        ])
      }
      break
  }
  startResponse('200 OK', plainText())
  return [bytes('written')]
})

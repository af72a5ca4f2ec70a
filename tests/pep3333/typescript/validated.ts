import type { WSGIFunction } from '../../../src/wsgi/types.ts'
import { validator } from '../../../src/wsgi/validator.ts'
import { bytes, plainText, readAll, register } from './registry.ts'

// The same contract as our own validator sees it: applications under `validator`.

/** Reads what there is, writes to the error stream, and answers with one chunk. */
const plain: WSGIFunction = async (environ, startResponse) => {
  const body = await readAll(environ)
  environ['wsgi.errors'].write('')
  environ['wsgi.errors'].flush()
  startResponse('200 OK', plainText())
  return [Buffer.concat([bytes('valid '), body])]
}

/** Line by line in, chunk by chunk out. */
const streaming: WSGIFunction = async function* (environ, startResponse) {
  startResponse('200 OK', plainText())
  yield bytes('valid ')
  yield* environ['wsgi.input']
}

/** Through write(). */
const writing: WSGIFunction = async (_environ, startResponse) => {
  const write = startResponse('200 OK', plainText())
  await write(bytes('valid '))
  return [bytes('written')]
}

register('validated_plain', validator(plain))
register('validated_streaming', validator(streaming))
register('validated_writing', validator(writing))

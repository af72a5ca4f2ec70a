import { methods, type WSGIFunction } from 'monoceros'

const encoder = new TextEncoder()
const notes: string[] = []

const show: WSGIFunction = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
  return notes.map((note, index) => encoder.encode(`${index + 1}. ${note}\n`))
}

const add: WSGIFunction = async (environ, startResponse) => {
  const note = new TextDecoder().decode(await environ['wsgi.input'].read())
  notes.push(note)
  startResponse('201 Created', [['Content-Type', 'text/plain; charset=utf-8']])
  return [encoder.encode(`Noted: ${note}\n`)]
}

export const app = methods({ GET: show, POST: add })

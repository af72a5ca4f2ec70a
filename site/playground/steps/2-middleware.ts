import type { Both, Step } from './types.ts'

const probe: Both<string> = {
  python: `import append

closed = 0


class Body:
    def __iter__(self):
        yield b"one\\n"
        yield b"two\\n"

    def close(self):
        global closed
        closed += 1


def inner(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "8")])
    return Body()


wrapped = append.Append(inner, "after\\n", "before\\n")


def app(environ, start_response):
    if environ["PATH_INFO"] == "/without":
        return append.Append(inner, "after\\n")(environ, start_response)
    if environ["PATH_INFO"] == "/closed":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(closed).encode()]
    return wrapped(environ, start_response)
`,
  typescript: `import { Append } from './append.ts'

let closed = 0

class Body {
  async *[Symbol.asyncIterator]() {
    yield new TextEncoder().encode('one\\n')
    yield new TextEncoder().encode('two\\n')
  }

  close() {
    closed += 1
  }
}

const inner = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain'], ['Content-Length', '8']])
  return new Body()
}

const wrapped = new Append(inner, 'after\\n', 'before\\n')

export const app = (environ, startResponse) => {
  if (environ.PATH_INFO === '/without')
    return new Append(inner, 'after\\n').wsgi(environ, startResponse)
  if (environ.PATH_INFO === '/closed') {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [new TextEncoder().encode(String(closed))]
  }
  return wrapped.wsgi(environ, startResponse)
}
`,
}

export const step2: Step = {
  number: 2,
  kind: 'application',
  files: { python: ['append.py', 'hello.py'], typescript: ['append.ts', 'hello.ts'] },
  requests: [{ method: 'GET', path: '/Ada' }],
  checks: [
    {
      title: 'the text before the body',
      requests: [{ method: 'GET', path: '/Ada' }],
      expect: { status: 200, body: 'Dear reader,\nHello, Ada!\nGreeted by WSGI.\n' },
      hint: 'GET /Ada answers three lines: "Dear reader,", the greeting, and "Greeted by WSGI.".',
    },
    {
      title: 'Append works around any application',
      requests: [{ method: 'GET', path: '/' }],
      probe,
      expect: {
        status: 200,
        body: 'before\none\ntwo\nafter\n',
        headers: { 'content-length': null },
      },
      hint: 'Append(app, "after", "before") puts both around the body of another application.',
    },
    {
      title: 'without a third argument nothing comes before',
      requests: [{ method: 'GET', path: '/without' }],
      probe,
      expect: { status: 200, body: 'one\ntwo\nafter\n' },
      hint: 'Append(app, "after") still works: the third argument may be left out.',
    },
    {
      title: 'close() is still passed on',
      requests: [
        { method: 'GET', path: '/' },
        { method: 'GET', path: '/closed' },
      ],
      probe,
      expect: { status: 200, body: '1' },
      hint: 'The close() of the wrapped body is called once, when the response is over.',
    },
  ],
}

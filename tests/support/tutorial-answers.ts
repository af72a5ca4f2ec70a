import type { Language } from '../../site/playground/steps/types.ts'

/** Replaces one text of a file by another; an empty `from` replaces the whole file. */
export interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

/** What a reader of the tutorial types for a step's task. */
export interface Answer {
  /** A mistake that readers make. */
  readonly wrong: readonly Edit[]
  /** What the page says about it. */
  readonly says: string
  readonly right: readonly Edit[]
}

type Both<T> = { readonly [L in Language]: T }

const edit = (file: string, from: string, to: string): Edit => ({ file, from, to })

const command = (language: Language, flags: string): Edit[] => {
  const app = language === 'python' ? 'append:app' : './append.ts:app'
  return [edit('command.txt', '', `npx monoceros ${app} ${flags}`)]
}

const healthPython = (body: string): Edit[] => [
  edit(
    'stacked.py',
    'app = with_request_id(',
    `def with_health(app):
    def health(environ, start_response):
        if environ["PATH_INFO"] == "/health":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [${body}]
        return app(environ, start_response)

    return health


app = with_health(with_request_id(`,
  ),
  edit('stacked.py', '"Greeted by WSGI.\\n"))', '"Greeted by WSGI.\\n")))'),
]

const healthTypeScript = (body: string): Edit[] => [
  edit(
    'stacked.ts',
    'const stack = compose(',
    `const health = (app) => (environ, startResponse) => {
  if (environ.PATH_INFO !== '/health') return app(environ, startResponse)
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [${body}]
}

const stack = compose(health, `,
  ),
]

const clearPython = (headers: string): Edit[] => [
  edit(
    'notes.py',
    'app = methods(GET=show, POST=add)',
    `def clear(environ, start_response):
    notes.clear()
    start_response("204 No Content", [${headers}])
    return []


app = methods(GET=show, POST=add, DELETE=clear)`,
  ),
]

const clearTypeScript = (headers: string): Edit[] => [
  edit(
    'notes.ts',
    'export const app = methods({ GET: show, POST: add })',
    `const clear: WSGIFunction = (_environ, startResponse) => {
  notes.length = 0
  startResponse('204 No Content', [${headers}])
  return []
}

export const app = methods({ GET: show, POST: add, DELETE: clear })`,
  ),
]

const beforePython: Edit[] = [
  edit('append.py', 'def __init__(self, app, text):', 'def __init__(self, app, text, before=""):'),
  edit(
    'append.py',
    `        self.text = text

    def __call__`,
    `        self.text = text
        self.before = before

    def __call__`,
  ),
  edit(
    'append.py',
    'self.app(environ, start), self.text)',
    'self.app(environ, start), self.text, self.before)',
  ),
  edit(
    'append.py',
    `def __init__(self, body, text):
        self.body = body`,
    `def __init__(self, body, text, before):
        self.body = body
        self.before = before`,
  ),
  edit(
    'append.py',
    `        yield from self.body
`,
    `        yield self.before.encode()
        yield from self.body
`,
  ),
  edit('append.py', '"Greeted by WSGI.\\n")', '"Greeted by WSGI.\\n", "Dear reader,\\n")'),
]

const beforeTypeScript: Edit[] = [
  edit(
    'append.ts',
    `  readonly #text: string

  constructor(app: WSGIApplication, text: string) {`,
    `  readonly #text: string
  readonly #before: string

  constructor(app: WSGIApplication, text: string, before = '') {
    this.#before = before`,
  ),
  edit('append.ts', 'startResponse)\n    }\n    return', 'startResponse)\n    }\n    return'),
  edit('append.ts', 'start), this.#text)', 'start), this.#text, this.#before)'),
  edit(
    'append.ts',
    `  readonly #text: string

  constructor(body: WSGIBody, text: string) {`,
    `  readonly #text: string
  readonly #before: string

  constructor(body: WSGIBody, text: string, before: string) {
    this.#before = before`,
  ),
  edit(
    'append.ts',
    `    yield* this.#body
`,
    `    yield new TextEncoder().encode(this.#before)
    yield* this.#body
`,
  ),
  edit('append.ts', "'Greeted by WSGI.\\n')", "'Greeted by WSGI.\\n', 'Dear reader,\\n')"),
].filter(({ from, to }) => from !== to)

/** The answers to the tasks of the eight steps, in their order. */
export const answers: readonly Both<Answer>[] = [
  {
    python: {
      wrong: [
        edit(
          'hello.py',
          '    return [body]',
          '    loud = environ["QUERY_STRING"] == "loud"\n' +
            '    return [body.decode().upper().encode() if loud else body]',
        ),
      ],
      says: 'declared Content-Length',
      right: [
        edit(
          'hello.py',
          'body = f"Hello, {name}!\\n".encode()',
          `greeting = f"Hello, {name}!\\n"
    if environ["QUERY_STRING"] == "loud":
        greeting = greeting.upper()
    body = greeting.encode()`,
        ),
      ],
    },
    typescript: {
      wrong: [
        edit(
          'hello.ts',
          '  return [body]',
          `  const loud = new TextEncoder().encode(new TextDecoder().decode(body).toUpperCase())
  return [environ.QUERY_STRING === 'loud' ? loud : body]`,
        ),
      ],
      says: 'The application broke the contract',
      right: [
        edit(
          'hello.ts',
          `const body = new TextEncoder().encode(\`Hello, \${name}!\\n\`)`,
          `let greeting = \`Hello, \${name}!\\n\`
  if (environ.QUERY_STRING === 'loud') greeting = greeting.toUpperCase()
  const body = new TextEncoder().encode(greeting)`,
        ),
      ],
    },
  },
  {
    python: {
      wrong: [
        ...beforePython,
        edit(
          'append.py',
          `    def close(self):
        if hasattr(self.body, "close"):
            self.body.close()
`,
          '',
        ),
      ],
      says: 'The close() of the wrapped body is called once',
      right: beforePython,
    },
    typescript: {
      wrong: [
        ...beforeTypeScript,
        edit('append.ts', '  close() {\n    return this.#body.close?.()\n  }\n', ''),
      ],
      says: 'The close() of the wrapped body is called once',
      right: beforeTypeScript,
    },
  },
  {
    python: {
      wrong: [
        edit(
          'server.py',
          'environ["HTTP_" + name.upper()',
          'environ["HTTP_" + name.strip().upper()',
        ),
      ],
      says: 'Environment should not have the key: HTTP_CONTENT_TYPE (use CONTENT_TYPE instead)',
      right: [
        edit(
          'server.py',
          '        environ["HTTP_" + name.upper().replace("-", "_")] = value.strip()',
          `        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        environ[key] = value.strip()`,
        ),
      ],
    },
    typescript: {
      wrong: [
        edit(
          'server.ts',
          '    const colon =',
          `    // What about Content-Type?
    const colon =`,
        ),
      ],
      says: 'The server broke the contract: environ has HTTP_CONTENT_TYPE',
      right: [
        edit(
          'server.ts',
          `    environ[\`HTTP_\${name}\`] = line`,
          `    const own = name === 'CONTENT_TYPE' || name === 'CONTENT_LENGTH'
    environ[own ? name : \`HTTP_\${name}\`] = line`,
        ),
      ],
    },
  },
  {
    python: {
      wrong: command('python', '--worker 4 --bind 0.0.0.0:8080 --timeout 20'),
      says: 'did you mean --workers?',
      right: command('python', '--workers 4 --bind 0.0.0.0:8080 --timeout 20'),
    },
    typescript: {
      wrong: command('typescript', '--workers four --bind 0.0.0.0:8080 --timeout 20'),
      says: '--workers: expected a whole number',
      right: command('typescript', '-w 4 -b 0.0.0.0:8080 -t 20'),
    },
  },
  {
    python: {
      wrong: healthPython('"ok"'),
      says: "Iterator yielded non-bytestring ('ok')",
      right: healthPython('b"ok"'),
    },
    typescript: {
      wrong: healthTypeScript("'ok'"),
      says: 'The application broke the contract',
      right: healthTypeScript("new TextEncoder().encode('ok')"),
    },
  },
  {
    python: {
      wrong: [
        edit(
          'several.py',
          '    "/docs": where.app,',
          `    "/docs": where.app,
    "/docs/people": hello,`,
        ),
      ],
      says: "TypeError: 'module' object is not callable",
      right: [
        edit(
          'several.py',
          '    "/docs": where.app,',
          `    "/docs": where.app,
    "/docs/people": hello.app,`,
        ),
      ],
    },
    typescript: {
      wrong: [edit('several.ts', "  '/docs': where,", "  '/docs': where,\n  '/people': hello,")],
      says: 'GET /docs/people/Ada is greeted',
      right: [
        edit('several.ts', "  '/docs': where,", "  '/docs': where,\n  '/docs/people': hello,"),
      ],
    },
  },
  {
    python: {
      wrong: clearPython('("Content-Type", "text/plain")'),
      says: 'Content-Type header found in a 204 response',
      right: clearPython(''),
    },
    typescript: {
      wrong: clearTypeScript("['Content-Type', 'text/plain']"),
      says: 'The application broke the contract',
      right: clearTypeScript(''),
    },
  },
  {
    python: {
      wrong: [
        edit(
          'fragile.py',
          '    return late()',
          `    if environ["PATH_INFO"] == "/missing":
        raise LookupError("no such page")
    return late()`,
        ),
      ],
      says: 'the status is 500 Internal Server Error, not 404',
      right: [
        edit(
          'fragile.py',
          '    return late()',
          `    if environ["PATH_INFO"] == "/missing":
        raise LookupError("no such page")
    return late()`,
        ),
        edit(
          'handled.py',
          `        except Exception:
            return answer`,
          `        except LookupError:
            headers = [("Content-Type", "text/plain")]
            start_response("404 Not Found", headers, sys.exc_info())
            return [b"404 Not Found\\n"]
        except Exception:
            return answer`,
        ),
      ],
    },
    typescript: {
      wrong: [
        edit(
          'fragile.ts',
          '  return environ',
          `  if (environ.PATH_INFO === '/missing') throw new Error('no such page')
  return environ`,
        ),
      ],
      says: 'the status is 500 Internal Server Error, not 404',
      right: [
        edit(
          'fragile.ts',
          '  return environ',
          `  if (environ.PATH_INFO === '/missing')
    throw Object.assign(new Error('no such page'), { status: 404, expose: true })
  return environ`,
        ),
      ],
    },
  },
]

/** Applies edits to the files of a step. @throws Error if a text is not there */
export function applyEdits(
  files: Readonly<Record<string, string>>,
  edits: readonly Edit[],
): Record<string, string> {
  const changed: Record<string, string> = { ...files }
  for (const { file, from, to } of edits) {
    const text = changed[file] ?? ''
    if (!text.includes(from)) throw new Error(`${file} has no ${JSON.stringify(from)}`)
    changed[file] = from === '' ? to : text.replace(from, () => to)
  }
  return changed
}

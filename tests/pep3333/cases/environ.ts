import { type PepCase, plain, site, threads } from '../case.ts'
import { content, NoReport, type Probe, summary } from '../probe.ts'

const section = 'environ Variables'

/** A few environ variables in one line, `(absent)` where there is none. */
async function see(
  probe: Probe,
  names: readonly string[],
  options: Parameters<Probe['environ']>[0],
): Promise<string> {
  const environ = await reported(probe.environ(options))
  if (typeof environ === 'string') return environ
  return names.map((name) => `${name}=${name in environ ? environ[name] : '(absent)'}`).join(' ')
}

/** A refusal is a result too. */
async function reported<T>(report: Promise<T>): Promise<T | string> {
  try {
    return await report
  } catch (error) {
    if (error instanceof NoReport) return `refused, ${error.message}`
    throw error
  }
}

/** Empty and absent are the same to an application that follows the PEP. */
async function emptyOrAbsent(
  probe: Probe,
  names: string[],
  options: Parameters<Probe['environ']>[0],
): Promise<string> {
  const environ = await probe.environ(options)
  const set = names.filter((name) => environ[name])
  return set.length === 0
    ? 'empty or absent'
    : set.map((name) => `${name}=${environ[name]}`).join(' ')
}

async function facts(probe: Probe, ...names: string[]): Promise<string> {
  const found = await probe.report<Record<string, unknown>>('wsgi_facts')
  return names
    .map(
      (name) => `${name}: ${name in found ? String(found[name]).replaceAll("'", '') : '(absent)'}`,
    )
    .join('; ')
}

const everyByte = Array.from({ length: 256 }, (_, byte) => byte)
const percentEncoded = everyByte.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')

export const environCases: readonly PepCase[] = [
  {
    id: 'environ-builtin-dict',
    section: 'Specification Details',
    level: 'must',
    rule: 'environ is a builtin dict, not an instance of a subclass.',
    run: async (probe) => (await probe.report<Record<string, string>>('environ_facts')).type ?? '',
    expect: 'builtin dict',
    typescript: {
      sees: 'plain object',
      because: 'words',
      why:
        'The counterpart of a builtin dict is an object whose prototype is ' + 'Object.prototype.',
    },
  },
  {
    id: 'environ-modifiable',
    section: 'Specification Details',
    level: 'must',
    rule:
      'The application may modify environ in any way, even empty it, without affecting ' +
      'its own response.',
    run: async (probe) => summary(await probe.ask('environ_cleared')),
    expect: '200 OK: "cleared"',
    gunicorn: {
      sees: '500',
      weAre: 'conforms',
      why:
        'Gunicorn looks its file wrapper up in the environ that the application has ' + 'emptied.',
    },
  },
  {
    id: 'environ-fresh',
    section: 'Specification Details',
    level: 'must',
    rule:
      'Changes to environ, and the headers of a request, do not leak into the next ' + 'request.',
    on: threads,
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.request(probe.request('environ_changed', { headers: [['X-Earlier', '1']] }))
      const response = await connection.request(
        probe.request('environ_strings', { target: '/second' }),
      )
      const environ = JSON.parse(response.text) as Record<string, string>
      const leftOver = ['the_case.left_over', 'HTTP_X_EARLIER'].filter((name) => name in environ)
      return `PATH_INFO=${environ.PATH_INFO}, left over: ${leftOver.join(' ') || 'nothing'}`
    },
    expect: 'PATH_INFO=/second, left over: nothing',
  },
  {
    id: 'environ-native-strings',
    section,
    level: 'must',
    rule: 'Every CGI variable is exactly a str.',
    run: async (probe) => {
      const found = await probe.report<Record<string, string[]>>('environ_facts', {
        method: 'POST',
        body: 'abc',
        headers: [['Content-Type', 'text/plain']],
      })
      return `not str: ${found['not str']?.join(' ') || 'none'}`
    },
    expect: 'not str: none',
  },
  {
    id: 'environ-latin-1-only',
    section: 'Unicode Issues',
    level: 'must',
    rule: 'No string in environ has a character above U+00FF, even if the client sent UTF-8.',
    run: async (probe) => {
      const found = await probe.report<Record<string, string[]>>('environ_facts', {
        target: '/%e2%98%83?%e2%98%83',
        headers: [['X-Snow', '\xe2\x98\x83']],
      })
      return `above U+00FF: ${found['not latin-1']?.join(' ') || 'none'}`
    },
    expect: 'above U+00FF: none',
  },
  {
    id: 'environ-extension-names',
    section,
    level: 'should',
    rule:
      'Names of server-defined variables have a prefix and consist of lower-case letters, ' +
      'digits, dots and underscores.',
    run: async (probe) => {
      const found = await probe.report<Record<string, string[]>>('environ_facts')
      return `other names: ${found['odd keys']?.join(' ') || 'none'}`
    },
    expect: 'other names: none',
  },
  {
    id: 'request-method',
    section,
    level: 'must',
    rule: 'REQUEST_METHOD is the method as sent.',
    run: (probe) => see(probe, ['REQUEST_METHOD'], { method: 'PROPFIND' }),
    expect: 'REQUEST_METHOD=PROPFIND',
  },
  {
    id: 'request-method-case',
    section,
    level: 'must',
    rule:
      'Methods are case-sensitive: a lower-case method is a different one and reaches the ' +
      'application unchanged.',
    run: (probe) => see(probe, ['REQUEST_METHOD'], { method: 'get' }),
    expect: 'REQUEST_METHOD=get',
    gunicorn: {
      sees: 'refused, 400',
      weAre: 'laxer',
      why:
        'RFC 9110 §9.1 allows any token as a method; the application decides which ones it ' +
        'supports.',
    },
  },
  {
    id: 'script-name-root',
    section,
    level: 'must',
    rule: 'SCRIPT_NAME is empty (or absent) when the application is at the root of the server.',
    run: (probe) => emptyOrAbsent(probe, ['SCRIPT_NAME'], { target: '/a/b' }),
    expect: 'empty or absent',
  },
  {
    id: 'script-name-prefix',
    section,
    level: 'must',
    rule:
      'If the application is mounted at a prefix, SCRIPT_NAME is the prefix and PATH_INFO ' +
      'the rest.',
    on: site,
    run: (probe) => see(probe, ['SCRIPT_NAME', 'PATH_INFO'], { target: '/site/page' }),
    expect: 'SCRIPT_NAME=/site PATH_INFO=/page',
  },
  {
    id: 'script-name-no-slash',
    section,
    level: 'may',
    rule: 'PATH_INFO is empty if the URL path is the prefix without a trailing slash.',
    on: site,
    run: (probe) => see(probe, ['SCRIPT_NAME', 'PATH_INFO'], { target: '/site' }),
    expect: 'SCRIPT_NAME=/site PATH_INFO=',
  },
  {
    id: 'script-name-slash',
    section,
    level: 'must',
    rule: 'PATH_INFO includes the slash that follows the prefix.',
    on: site,
    run: (probe) => see(probe, ['SCRIPT_NAME', 'PATH_INFO'], { target: '/site/?q' }),
    expect: 'SCRIPT_NAME=/site PATH_INFO=/',
  },
  {
    id: 'script-name-lookalike',
    section,
    level: 'must',
    rule:
      'The prefix matches only whole path segments: PATH_INFO is empty or begins with a ' +
      'slash.',
    on: site,
    run: (probe) => see(probe, ['SCRIPT_NAME', 'PATH_INFO'], { target: '/sitemap' }),
    expect: 'SCRIPT_NAME=/site PATH_INFO=/sitemap',
    gunicorn: {
      sees: 'SCRIPT_NAME=/site PATH_INFO=map',
      weAre: 'conforms',
      why: 'A PATH_INFO that does not begin with a slash is invalid (RFC 3875 §4.1.5).',
    },
  },
  {
    id: 'script-name-stripped',
    section,
    level: 'may',
    rule:
      'If the path lacks the prefix, the server assumes that a proxy has already removed ' + 'it.',
    on: site,
    run: (probe) => see(probe, ['SCRIPT_NAME', 'PATH_INFO'], { target: '/other' }),
    expect: 'SCRIPT_NAME=/site PATH_INFO=/other',
    gunicorn: {
      sees: 'refused, 500',
      weAre: 'laxer',
      why:
        'Some proxies remove the prefix and some do not; the application generates correct ' +
        'links in both cases.',
    },
  },
  {
    id: 'path-info-asterisk',
    section,
    level: 'must',
    rule: 'PATH_INFO is empty or begins with a slash, also for OPTIONS *.',
    run: (probe) => see(probe, ['REQUEST_METHOD', 'PATH_INFO'], { method: 'OPTIONS', target: '*' }),
    expect: 'REQUEST_METHOD=OPTIONS PATH_INFO=',
    gunicorn: {
      sees: 'REQUEST_METHOD=OPTIONS PATH_INFO=*',
      weAre: 'conforms',
      why: 'RFC 3875 §4.1.5; the standard library\u2019s validator refuses such an environ.',
    },
  },
  {
    id: 'path-info-decoded',
    section,
    level: 'must',
    rule:
      'PATH_INFO is percent-decoded exactly once, and a plus sign is left as it is (RFC ' +
      '3875 §4.1.5).',
    run: (probe) => see(probe, ['PATH_INFO'], { target: '/a%20b%2Fc%252Fd+e' }),
    expect: 'PATH_INFO=/a b/c%2Fd+e',
  },
  {
    id: 'path-info-every-byte',
    section: 'Unicode Issues',
    level: 'must',
    rule:
      'Each of the 256 byte values, percent-encoded in the path, becomes the character ' +
      'with that code in PATH_INFO.',
    run: async (probe) => {
      const environ = await reported(probe.environ({ target: `/${percentEncoded}` }))
      if (typeof environ === 'string') return environ
      const got = Array.from(environ.PATH_INFO?.slice(1) ?? '', (char) => char.codePointAt(0))
      const wrong = everyByte.filter((byte) => got[byte] !== byte)
      return wrong.length === 0 && got.length === 256
        ? 'all 256 equal'
        : `${got.length}, wrong: ${wrong}`
    },
    expect: 'all 256 equal',
  },
  {
    id: 'path-info-utf-8',
    section: 'Unicode Issues',
    level: 'must',
    rule: 'Each byte of UTF-8 in the path becomes one character.',
    run: (probe) => see(probe, ['PATH_INFO'], { target: '/caf%C3%A9' }),
    expect: 'PATH_INFO=/caf\xc3\xa9',
  },
  {
    id: 'path-info-malformed-percent',
    section,
    level: 'must',
    rule: 'A percent sign that does not begin a valid escape is left as it is.',
    run: (probe) => see(probe, ['PATH_INFO'], { target: '/100%/%zz%4' }),
    expect: 'PATH_INFO=/100%/%zz%4',
  },
  {
    id: 'path-info-unchanged',
    section,
    level: 'must',
    rule:
      'Semicolons, double slashes and dot segments in the path reach the application ' +
      'unchanged.',
    run: (probe) => see(probe, ['PATH_INFO'], { target: '//a;b=c//./d/../e' }),
    expect: 'PATH_INFO=//a;b=c//./d/../e',
  },
  {
    id: 'path-info-absolute-form',
    section,
    level: 'must',
    rule:
      'If the request line has an absolute URL, PATH_INFO is its path and HTTP_HOST its ' +
      'authority (RFC 9112 §3.2.2).',
    run: (probe) =>
      see(probe, ['PATH_INFO', 'QUERY_STRING', 'HTTP_HOST'], {
        target: 'http://real.example:81/p?q=1',
        host: 'other.example',
      }),
    expect: 'PATH_INFO=/p QUERY_STRING=q=1 HTTP_HOST=real.example:81',
    gunicorn: {
      sees: 'PATH_INFO=/p QUERY_STRING=q=1 HTTP_HOST=other.example',
      weAre: 'conforms',
      why:
        'RFC 9112 §3.2.2: the authority of the request line replaces Host, so that all ' +
        'recipients see the same host.',
    },
  },
  {
    id: 'query-string-raw',
    section,
    level: 'must',
    rule: 'QUERY_STRING is everything after the first question mark, not decoded.',
    run: (probe) => see(probe, ['QUERY_STRING'], { target: '/p?a=%20b+c&d=e?f;%C3%A9' }),
    expect: 'QUERY_STRING=a=%20b+c&d=e?f;%C3%A9',
  },
  {
    id: 'query-string-none',
    section,
    level: 'may',
    rule: 'Without a query, QUERY_STRING is empty or absent.',
    run: (probe) => emptyOrAbsent(probe, ['QUERY_STRING'], { target: '/p' }),
    expect: 'empty or absent',
  },
  {
    id: 'target-raw-bytes',
    section: 'Unicode Issues',
    level: 'must',
    rule:
      'Bytes above 0x7F that are not percent-encoded become the characters with the same ' +
      'codes.',
    run: (probe) => see(probe, ['PATH_INFO', 'QUERY_STRING'], { target: '/caf\xe9?\xe9' }),
    expect: 'PATH_INFO=/caf\xe9 QUERY_STRING=\xe9',
    gunicorn: {
      sees: 'refused, 400',
      weAre: 'laxer',
      why:
        'Some clients send UTF-8 without encoding it, such as `curl http://host/caf\xe9`; ' +
        'nginx, uWSGI and granian accept this too. Each byte is kept.',
    },
  },
  {
    id: 'content-type',
    section,
    level: 'must',
    rule: 'CONTENT_TYPE is the Content-Type field as sent, and there is no HTTP_CONTENT_TYPE.',
    run: (probe) =>
      see(probe, ['CONTENT_TYPE', 'HTTP_CONTENT_TYPE'], {
        method: 'POST',
        body: 'x',
        headers: [['Content-Type', 'Text/Plain; charset="utf-8"']],
      }),
    expect: 'CONTENT_TYPE=Text/Plain; charset="utf-8" HTTP_CONTENT_TYPE=(absent)',
  },
  {
    id: 'content-length',
    section,
    level: 'must',
    rule: 'CONTENT_LENGTH is the Content-Length field, and there is no HTTP_CONTENT_LENGTH.',
    run: (probe) =>
      see(probe, ['CONTENT_LENGTH', 'HTTP_CONTENT_LENGTH'], {
        method: 'POST',
        body: 'x'.repeat(123),
      }),
    expect: 'CONTENT_LENGTH=123 HTTP_CONTENT_LENGTH=(absent)',
  },
  {
    id: 'content-type-and-length-none',
    section,
    level: 'may',
    rule: 'A request without a body has CONTENT_TYPE and CONTENT_LENGTH empty or absent.',
    run: (probe) => emptyOrAbsent(probe, ['CONTENT_TYPE', 'CONTENT_LENGTH'], {}),
    expect: 'empty or absent',
  },
  {
    id: 'content-type-twice',
    section,
    level: 'must',
    rule:
      'A request with two Content-Type fields is rejected: CONTENT_TYPE can hold only ' + 'one.',
    run: (probe) =>
      see(probe, ['CONTENT_TYPE'], {
        method: 'POST',
        body: 'x',
        headers: [
          ['Content-Type', 'text/plain'],
          ['Content-Type', 'text/html'],
        ],
      }),
    expect: 'refused, 400',
  },
  {
    id: 'server-name-and-port',
    section,
    level: 'must',
    rule: 'SERVER_NAME and SERVER_PORT are present and not empty.',
    run: async (probe) => {
      const environ = await probe.environ()
      const port =
        environ.SERVER_PORT === String(probe.server.port) ? 'the real port' : environ.SERVER_PORT
      return `SERVER_NAME ${environ.SERVER_NAME ? 'not empty' : 'empty'}, SERVER_PORT ${port}`
    },
    expect: 'SERVER_NAME not empty, SERVER_PORT the real port',
  },
  {
    id: 'server-name-without-host',
    section,
    level: 'must',
    rule:
      'Without a Host field (HTTP/1.0), SERVER_NAME and SERVER_PORT hold the ' +
      'server\u2019s address.',
    run: async (probe) => {
      const environ = await probe.environ({ version: '1.0', host: null })
      const real =
        environ.SERVER_NAME === '127.0.0.1' && environ.SERVER_PORT === String(probe.server.port)
      return (
        `${real ? 'the real address' : `${environ.SERVER_NAME}:${environ.SERVER_PORT}`}, ` +
        `HTTP_HOST ${'HTTP_HOST' in environ ? 'present' : 'absent'}`
      )
    },
    expect: 'the real address, HTTP_HOST absent',
  },
  {
    id: 'server-protocol-1.1',
    section,
    level: 'must',
    rule: 'SERVER_PROTOCOL is the version of the request: HTTP/1.1.',
    run: (probe) => see(probe, ['SERVER_PROTOCOL'], {}),
    expect: 'SERVER_PROTOCOL=HTTP/1.1',
  },
  {
    id: 'server-protocol-1.0',
    section,
    level: 'must',
    rule: 'SERVER_PROTOCOL is the version of the request: HTTP/1.0.',
    run: (probe) => see(probe, ['SERVER_PROTOCOL'], { version: '1.0' }),
    expect: 'SERVER_PROTOCOL=HTTP/1.0',
  },
  {
    id: 'http-variables',
    section,
    level: 'must',
    rule:
      'A request field becomes HTTP_ and its name in upper case with underscores; white ' +
      'space around the value is removed.',
    run: (probe) =>
      see(probe, ['HTTP_HOST', 'HTTP_X_MIXED_CASE', 'HTTP_X_INNER'], {
        headers: [
          ['x-MiXeD-case', ' \t padded \t'],
          ['X-Inner', 'a  b\tc'],
        ],
      }),
    expect: 'HTTP_HOST=case.example HTTP_X_MIXED_CASE=padded HTTP_X_INNER=a  b\tc',
  },
  {
    id: 'http-variables-empty',
    section,
    level: 'should',
    rule:
      'A field with an empty value is present as an empty string; a field that was not sent ' +
      'is absent.',
    run: (probe) => see(probe, ['HTTP_X_EMPTY', 'HTTP_X_NEVER'], { headers: [['X-Empty', '']] }),
    expect: 'HTTP_X_EMPTY= HTTP_X_NEVER=(absent)',
  },
  {
    id: 'http-variables-raw-bytes',
    section: 'Unicode Issues',
    level: 'must',
    rule:
      'Each byte that is allowed in a field value, including 0x80 to 0xFF, becomes the ' +
      'character with that code.',
    run: async (probe) => {
      const bytes = everyByte.filter((byte) => (byte > 0x20 && byte < 0x7f) || byte > 0x7f)
      const value = String.fromCharCode(...bytes)
      const environ = await probe.environ({ headers: [['X-Bytes', value]] })
      return environ.HTTP_X_BYTES === value
        ? `all ${bytes.length} equal`
        : JSON.stringify(environ.HTTP_X_BYTES)
    },
    expect: 'all 222 equal',
  },
  {
    id: 'http-variables-repeated',
    section,
    level: 'should',
    rule:
      'A repeated field becomes one variable with the values in order, separated by ' +
      'commas (RFC 9110 §5.3).',
    run: (probe) =>
      see(probe, ['HTTP_X_LIST'], {
        headers: [
          ['X-List', 'a'],
          ['X-Other', '-'],
          ['x-list', 'b'],
          ['X-LIST', 'c, d'],
        ],
      }),
    expect: 'HTTP_X_LIST=a,b,c, d',
  },
  {
    id: 'http-variables-cookies',
    section,
    level: 'should',
    rule: 'Several Cookie fields are joined in a way that keeps the cookies separate.',
    run: (probe) =>
      see(probe, ['HTTP_COOKIE'], {
        headers: [
          ['Cookie', 'a=1'],
          ['Cookie', 'b=2'],
        ],
      }),
    expect: 'HTTP_COOKIE=a=1; b=2',
    gunicorn: {
      sees: 'HTTP_COOKIE=a=1,b=2',
      weAre: 'conforms',
      why:
        'A comma does not separate cookies (RFC 6265 §4.2.1): with gunicorn, the ' +
        'application sees one cookie with the value `1,b=2`.',
    },
  },
  {
    id: 'http-variables-underscore',
    section,
    level: 'should',
    rule: 'A field name with an underscore cannot be used to forge the field with a hyphen.',
    run: (probe) =>
      see(probe, ['HTTP_X_USER', 'HTTP_X_ADMIN'], {
        headers: [
          ['X_User', 'forged'],
          ['X-User', 'real'],
          ['X_Admin', 'forged'],
        ],
      }),
    expect: 'HTTP_X_USER=real HTTP_X_ADMIN=(absent)',
  },
  {
    id: 'content-length-underscore',
    section,
    level: 'must',
    rule: 'A field named Content_Length sets neither CONTENT_LENGTH nor HTTP_CONTENT_LENGTH.',
    run: (probe) =>
      see(probe, ['CONTENT_LENGTH', 'HTTP_CONTENT_LENGTH'], {
        method: 'POST',
        body: 'abc',
        headers: [['Content_Length', '99']],
      }),
    expect: 'CONTENT_LENGTH=3 HTTP_CONTENT_LENGTH=(absent)',
  },
  {
    id: 'host-twice',
    section,
    level: 'should',
    rule: 'A request with two Host fields is rejected (RFC 9112 §3.2).',
    run: (probe) => see(probe, ['HTTP_HOST'], { headers: [['Host', 'other.example']] }),
    expect: 'refused, 400',
  },
  {
    id: 'absent-variables',
    section,
    level: 'must',
    rule:
      'Variables that have no value for this request are left out: REMOTE_USER, AUTH_TYPE, ' +
      'HTTPS, SSL_PROTOCOL.',
    run: async (probe) => {
      const environ = await probe.environ()
      const there = ['REMOTE_USER', 'REMOTE_IDENT', 'AUTH_TYPE', 'HTTPS', 'SSL_PROTOCOL'].filter(
        (n) => n in environ,
      )
      return there.length === 0 ? 'left out' : there.join(' ')
    },
    expect: 'left out',
  },
  {
    id: 'other-cgi-variables',
    section,
    level: 'should',
    rule:
      'The server provides other applicable CGI variables: the client\u2019s address and ' +
      'port, the server software, the request target as sent.',
    run: async (probe) => {
      const environ = await probe.environ({ target: '/a%20b?c' })
      const port = /^\d+$/.test(environ.REMOTE_PORT ?? '') ? 'REMOTE_PORT' : ''
      const rest = ['RAW_URI', 'REQUEST_URI'].filter((name) => environ[name] === '/a%20b?c')
      const software = environ.SERVER_SOFTWARE ? 'SERVER_SOFTWARE' : ''
      return [`REMOTE_ADDR=${environ.REMOTE_ADDR}`, port, software, ...rest]
        .filter(Boolean)
        .join(' ')
    },
    expect: 'REMOTE_ADDR=127.0.0.1 REMOTE_PORT SERVER_SOFTWARE RAW_URI REQUEST_URI',
    gunicorn: {
      sees: 'REMOTE_ADDR=127.0.0.1 REMOTE_PORT SERVER_SOFTWARE RAW_URI',
      weAre: 'choice',
      why: 'Applications look for the raw request target under either name.',
    },
  },
  {
    id: 'wsgi-version',
    section,
    level: 'must',
    rule: 'wsgi.version is the tuple (1, 0).',
    run: (probe) => facts(probe, 'wsgi.version'),
    expect: 'wsgi.version: (1, 0)',
  },
  {
    id: 'wsgi-url-scheme',
    section,
    level: 'must',
    rule: 'wsgi.url_scheme is a str: http on an unencrypted connection.',
    run: (probe) => facts(probe, 'wsgi.url_scheme'),
    expect: 'wsgi.url_scheme: http',
  },
  {
    id: 'wsgi-streams',
    section: 'Input and Error Streams',
    level: 'must',
    rule: 'wsgi.input and wsgi.errors have every method of the PEP\u2019s table.',
    run: (probe) => facts(probe, 'wsgi.input', 'wsgi.errors'),
    expect: 'wsgi.input: has every method; wsgi.errors: has every method',
  },
  {
    id: 'wsgi-run-once',
    section,
    level: 'must',
    rule: 'wsgi.run_once is false in a long-running server.',
    run: (probe) => facts(probe, 'run_once'),
    expect: 'run_once: false',
  },
  {
    id: 'wsgi-multithread-one',
    section,
    level: 'should',
    rule: 'wsgi.multithread is false with one thread.',
    run: (probe) => facts(probe, 'multithread'),
    expect: 'multithread: false',
  },
  {
    id: 'wsgi-multithread-several',
    section,
    level: 'should',
    rule: 'wsgi.multithread is true with several threads.',
    on: threads,
    run: (probe) => facts(probe, 'multithread'),
    expect: 'multithread: true',
    embedded: {
      sees: 'multithread: false',
      because: 'threads',
      why:
        'Python cannot use threads in WebAssembly: a single thread runs the application, ' +
        'regardless of `--threads`.',
    },
    typescript: {
      sees: 'multithread: false',
      because: 'language',
      why:
        'A single thread runs the application, regardless of `--threads`; requests take ' +
        'turns whenever it awaits something.',
    },
  },
  {
    id: 'wsgi-multiprocess-one',
    section,
    level: 'should',
    rule: 'wsgi.multiprocess is false with one worker.',
    on: plain,
    run: (probe) => facts(probe, 'multiprocess'),
    expect: 'multiprocess: false',
  },
  {
    id: 'wsgi-multiprocess-several',
    section,
    level: 'should',
    rule: 'wsgi.multiprocess is true with several workers.',
    on: site,
    run: async (probe) => {
      const found = await probe.report<Record<string, string>>('wsgi_facts', { target: '/site/' })
      return `multiprocess: ${found.multiprocess}`
    },
    expect: 'multiprocess: true',
  },
  {
    id: 'wsgi-input-terminated',
    section: 'Input and Error Streams',
    level: 'may',
    rule:
      'wsgi.input_terminated is true: the input signals its own end (an extension that ' +
      'frameworks rely on).',
    run: (probe) => facts(probe, 'wsgi.input_terminated'),
    expect: 'wsgi.input_terminated: True',
  },
  {
    id: 'deployer-variables',
    section: 'Application Configuration',
    level: 'should',
    rule: 'A deployer can pass configuration variables to the application.',
    on: site,
    run: async (probe) => {
      const places = await probe.report<string[]>('deployer_variable', { target: '/site/' })
      return places.length > 0 ? `in ${places.join(' and ')}` : 'nowhere'
    },
    expect: 'in os.environ',
    typescript: { sees: 'in process.env', because: 'words', why: 'The counterpart of os.environ.' },
  },
  {
    id: 'url-reconstruction-host',
    section: 'URL Reconstruction',
    level: 'must',
    rule: 'The PEP\u2019s algorithm reconstructs the requested URL.',
    run: (probe) =>
      probe.report('url_reconstruction', {
        target: '/caf%C3%A9%20x/?y=%201',
        host: 'case.example:8080',
      }),
    expect: 'http://case.example:8080/caf%C3%A9%20x/?y=%201',
  },
  {
    id: 'url-reconstruction-no-host',
    section: 'URL Reconstruction',
    level: 'must',
    rule: 'Without a Host field, the reconstructed URL refers to this server.',
    run: async (probe) => {
      const url = await probe.report<string>('url_reconstruction', {
        target: '/a',
        version: '1.0',
        host: null,
      })
      return url.replace(`:${probe.server.port}`, ':PORT')
    },
    expect: 'http://127.0.0.1:PORT/a',
  },
  {
    id: 'url-reconstruction-prefix',
    section: 'URL Reconstruction',
    level: 'must',
    rule: 'SCRIPT_NAME and PATH_INFO together form the complete path.',
    on: site,
    run: (probe) => probe.report('url_reconstruction', { target: '/site/a/b' }),
    expect: 'http://case.example/site/a/b',
  },
  {
    id: 'called-with-positional-arguments',
    section: 'Specification Details',
    level: 'must',
    rule: 'The application is called with two positional arguments.',
    run: async (probe) => content(await probe.ask('positional')),
    expect: '"2 positional, 0 by keyword"',
  },
  {
    id: 'called-once',
    section: 'Specification Overview',
    level: 'must',
    rule: 'The application is called once for each request.',
    on: threads,
    run: async (probe) => {
      const connection = await probe.connect()
      for (let i = 0; i < 3; i++) await connection.request(probe.request('counted'))
      return `3 requests, ${probe.notes().length} calls`
    },
    expect: '3 requests, 3 calls',
  },
]

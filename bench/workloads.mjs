/**
 * What the servers are asked to do. Every server serves the same application with the same Python.
 *
 * @typedef {object} Workload
 * @property {string} name What --workloads calls it.
 * @property {string} title What the tables call it.
 * @property {string} app The application, as MODULE:NAME in bench/apps.
 * @property {string} path
 * @property {'GET' | 'POST'} method
 * @property {number} bodySize Bytes of the request body.
 * @property {boolean} [python] Only servers of Python applications have it.
 * @property {(body: string) => boolean} answers Whether a body is the right one; asked once per
 * server, before it is driven.
 */

/**
 * In this order: a server's memory keeps what earlier work made it take, so the large bodies come
 * last.
 */
export const WORKLOADS = /** @type {Workload[]} */ ([
  {
    name: 'hello',
    title: 'Hello world',
    app: 'plain:application',
    path: '/hello',
    method: 'GET',
    bodySize: 0,
    answers: (body) => body === 'Hello, world!\n',
  },
  {
    name: '10k',
    title: '10 KB response',
    app: 'plain:application',
    path: '/10k',
    method: 'GET',
    bodySize: 0,
    answers: (body) => body.length === 10_240,
  },
  {
    name: 'cached',
    title: '10 KB response that may be cached',
    app: 'plain:application',
    path: '/cached',
    method: 'GET',
    bodySize: 0,
    answers: (body) => body.length === 10_240,
  },
  {
    name: 'echo',
    title: '10 KB echo (POST)',
    app: 'plain:application',
    path: '/echo',
    method: 'POST',
    bodySize: 10_240,
    answers: (body) => body === 'x'.repeat(10_240),
  },
  {
    name: '1m',
    title: '1 MB from a list',
    app: 'plain:application',
    path: '/1m',
    method: 'GET',
    bodySize: 0,
    answers: (body) => body.length === 1_048_576,
  },
  {
    name: 'file',
    title: '1 MB file by wsgi.file_wrapper',
    app: 'plain:application',
    path: '/file',
    method: 'GET',
    bodySize: 0,
    python: true,
    answers: (body) => body.length === 1_048_576,
  },
  {
    name: 'flask',
    title: 'Flask, a JSON route',
    app: 'flask_json:application',
    path: '/items/42?tag=new',
    method: 'GET',
    bodySize: 0,
    answers: (body) => JSON.parse(body).id === 42,
  },
  {
    name: 'django',
    title: 'Django, a page from SQLite',
    app: 'django_page:application',
    path: '/books/1990/',
    method: 'GET',
    bodySize: 0,
    answers: (body) => body.match(/<li>/g)?.length === 20,
  },
])

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodePercent } from '../semantics/percent.ts'
import type { WSGIApplication } from '../wsgi/types.ts'
import { MountPoint, mountEnd, sentTarget, splitTarget } from './mount.ts'
import { toFastifyPlugin } from './to-fastify-plugin.ts'
import { toFetchHandler } from './to-fetch-handler.ts'
import { toKoaMiddleware } from './to-koa-middleware.ts'
import { toNodeHandler } from './to-node-handler.ts'

describe('mountEnd', () => {
  test.each([
    ['/shop', '/shop', 5],
    ['/shop/cart', '/shop', 5],
    ['/shopping', '/shop', -1],
    ['/sho', '/shop', -1],
    ['/%73hop/a%2Fb', '/shop', 7],
    ['/shop%2Fcart', '/shop', -1],
    ['/a/b/c', '', 0],
    ['', '', 0],
    ['/100%/x', '/100%', 5],
    ['/SHOP', '/shop', -1],
    ['/a%2Fb/c', '/a/b', 6],
  ])('%s below %s: %i', (path, mount, end) => {
    expect(mountEnd(path, mount)).toBe(end)
  })

  const path = fc.string({
    unit: fc.constantFrom('/', '%', '%2F', '%41', 'a', 'A', '4', '1', '\u00e9'),
    maxLength: 12,
  })

  test('what is before it decodes to the mount, and what is behind begins with a slash', () => {
    fc.assert(
      fc.property(path, path, (sent, mount) => {
        const end = mountEnd(sent, mount)
        if (end === -1) return
        expect(decodePercent(sent.slice(0, end))).toBe(mount)
        expect(end === sent.length || sent[end] === '/').toBe(true)
      }),
    )
  })

  test('a path whose decoded beginning it is, at a slash that was sent, is below it', () => {
    fc.assert(
      fc.property(path, path, (sent, rest) => {
        fc.pre(!/%.?$/.test(sent)) // or it would be decoded together with what follows
        expect(mountEnd(`${sent}/${rest}`, decodePercent(sent))).toBe(sent.length)
      }),
    )
  })
})

describe('MountPoint', () => {
  test('a path is divided, and one that is not below the mount is not the application’s', () => {
    const mount = new MountPoint({ scriptName: '/caf\u00e9' })
    expect(mount.divide('/caf%C3%A9/x')).toEqual({ mount: '/caf%C3%A9', path: '/x' })
    expect(mount.divide('/cafe/x')).toBeNull()
  })

  test('where the framework has taken the mount away, the path stays whole', () => {
    const mount = new MountPoint({ scriptName: '/shop', scriptNameStripped: true })
    expect(mount.divide('/shop/x')).toEqual({ mount: '/shop', path: '/shop/x' })
  })

  test.each(['shop', '/shop/', '/', '//', 7, null])('%j is refused', (scriptName) => {
    expect(() => new MountPoint({ scriptName: scriptName as string })).toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message: expect.stringContaining('scriptName must be'),
      }),
    )
  })
})

describe('an option that nothing would read is refused', () => {
  const app: WSGIApplication = () => []
  test.each([
    ['toNodeHandler', () => toNodeHandler(app, { passError: true } as object), 'passError'],
    ['toKoaMiddleware', () => toKoaMiddleware(app, { mount: '/py' } as object), 'mount'],
    ['toFetchHandler', () => toFetchHandler(app, { prefix: '/py' } as object), 'prefix'],
    ['toFastifyPlugin', () => toFastifyPlugin(app, { scriptName: '/py' } as object), 'scriptName'],
  ])('%s', (name, make, option) => {
    expect(make).toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message: expect.stringContaining(`${name} has no option "${option}"; its options are `),
      }),
    )
  })
})

test('a target is split from its origin and its query', () => {
  expect(splitTarget('/a?b?c')).toEqual({ authority: null, path: '/a', query: '?b?c' })
  expect(splitTarget('http://a.example:1?b')).toEqual({
    authority: 'a.example:1',
    path: '',
    query: '?b',
  })
  expect(splitTarget('//a/b')).toEqual({ authority: null, path: '//a/b', query: '' })
  expect(splitTarget('*')).toEqual({ authority: null, path: '*', query: '' })
})

describe('sentTarget', () => {
  test('the path is as it was sent where it still says the same', () => {
    const environ = {
      SCRIPT_NAME: '/a b',
      PATH_INFO: '/c/d',
      QUERY_STRING: 'x=%20',
      REQUEST_URI: '/a%20b/c%2Fd?x=%20',
    }
    expect(sentTarget(environ)).toEqual({ mount: '/a%20b', path: '/c%2Fd', query: '?x=%20' })
  })

  test('bytes that the client did not escape are escaped, and nothing else is changed', () => {
    const environ = {
      SCRIPT_NAME: '/caf\xc3\xa9',
      PATH_INFO: '/a/b\xff',
      QUERY_STRING: '\xe9',
      REQUEST_URI: '/caf\xc3%A9/a%2Fb\xff?\xe9',
    }
    const expected = { mount: '/caf%C3%A9', path: '/a%2Fb%FF', query: '?%E9' }
    expect(sentTarget(environ)).toEqual(expected)
    expect(sentTarget({ ...environ, REQUEST_URI: `http://h${environ.REQUEST_URI}` })).toEqual(
      expected,
    )
  })

  test('it is encoded anew where a middleware has changed it, or where it could not stand in a URL', () => {
    const base = { SCRIPT_NAME: '', PATH_INFO: '/c?#', QUERY_STRING: 'a b#\u00e9"<>' }
    const encoded = { mount: '', path: '/c%3F%23', query: '?a%20b%23%E9%22%3C%3E' }
    expect(sentTarget({ ...base, REQUEST_URI: '/else' })).toEqual(encoded)
    expect(sentTarget(base)).toEqual(encoded)
    expect(sentTarget({ ...base, REQUEST_URI: '/c%3F#' })).toEqual(encoded)
  })

  test('what it gives decodes to what it was, for any bytes', () => {
    const bytes = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    })
    fc.assert(
      fc.property(bytes, bytes, fc.option(bytes, { nil: undefined }), (mount, path, uri) => {
        const sent = sentTarget({
          SCRIPT_NAME: mount,
          PATH_INFO: path,
          QUERY_STRING: path,
          REQUEST_URI: uri,
        })
        expect(decodePercent(sent.mount)).toBe(mount)
        expect(decodePercent(sent.path)).toBe(path)
        expect(`${sent.mount}${sent.path}${sent.query}`).toMatch(/^[!-~]*$/)
      }),
    )
  })
})

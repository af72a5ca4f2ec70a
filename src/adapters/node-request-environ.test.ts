import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { consoleErrors } from '../wsgi/error-stream.ts'
import { emptyInput } from '../wsgi/input-stream.ts'
import { MountPoint } from './mount.ts'
import { nodeEnviron } from './node-request-environ.ts'

/** `SCRIPT_NAME` and `PATH_INFO` of a request for an address that was sent, and then changed. */
function pathsOf(originalUrl: string, url: string): [string, string] {
  const request = {
    method: 'GET',
    url,
    originalUrl,
    httpVersion: '1.1',
    httpVersionMajor: 1,
    rawHeaders: ['Host', 'site.example'],
    headers: { host: 'site.example' },
    socket: { localAddress: '127.0.0.1', localPort: 80 },
  } as unknown as IncomingMessage
  const streams = { input: emptyInput, errors: consoleErrors, read: undefined }
  const environ = nodeEnviron(request, new MountPoint({}), streams)
  return [environ!.SCRIPT_NAME, environ!.PATH_INFO]
}

describe('the mount, by the address that was sent and what is left of it', () => {
  test.each([
    ['/api/x', '/x', '/api', '/x'],
    ['/api/', '/', '/api', '/'],
    ['/api', '/', '/api', ''],
    ['/api//x', '//x', '/api', '//x'],
    ['/api/a//b', '/b', '/api/a/', '/b'],
    ['/x', '/x', '', '/x'],
    ['/old', '/new', '', '/new'],
  ])('%s and %s: %s and %s', (sent, left, mount, path) => {
    expect(pathsOf(sent, left)).toEqual([mount, path])
  })

  test.each([
    '//evil.example',
    '//evil.example/',
    '/%2Fevil.example/',
    '/%2fevil.example',
    '/\\evil.example/',
    '/%5Cevil.example',
    'http://site.example//evil.example/',
  ])('%s, rewritten to /, is no mount', (sent) => {
    expect(pathsOf(sent, '/')).toEqual(['', '/'])
  })
})

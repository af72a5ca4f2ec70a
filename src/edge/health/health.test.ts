import { expect, test } from 'vitest'
import { IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { health } from './health.ts'

function said(request: string, obstacle: string | null): { said: string[]; passed: number } {
  let passed = 0
  const engine = new ScriptedEngine()
  const handler = health(
    '/healthz',
    () => obstacle,
  )(() => {
    passed++
    return IGNORING
  })
  engine.begin(handler, request)
  return { said: engine.said, passed }
}

const request = (line: string, fields = '') => `${line} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

test('the path is answered by whether the server is ready, with any query', () => {
  expect(said(request('GET /healthz'), null)).toEqual({ said: ['respond 200 ok'], passed: 0 })
  expect(said(request('GET /healthz?a=b'), 'no worker serves')).toEqual({
    said: ['respond 503 no worker serves'],
    passed: 0,
  })
})

test.each([
  'GET /healthz/',
  'GET /health',
  'GET /Healthz',
  'GET /%68ealthz',
  'GET /',
  'POST /healthz',
])('%s passes', (line) => {
  expect(said(request(line), null)).toEqual({ said: [], passed: 1 })
})

test('a request with a body passes', () => {
  expect(said(request('GET /healthz', 'Content-Length: 3\r\n'), null).passed).toBe(1)
})

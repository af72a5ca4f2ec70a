import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { NODE_INTERNALS, renderNodeInternals } from './node-internals.ts'

const source = fileURLToPath(new URL('..', import.meta.url))
const root = join(source, '..')

/** What code that touches internals of Node looks like. */
const TOUCHES = new RegExp(
  [
    '\\b_(handle|createServerHandle|readableState|writableState|header|consuming|parent|read)\\b',
    'process\\.binding',
    'resetAndClosing',
    'onconnection',
    'readStop',
    'writeQueueSize',
    'assignSocket',
    '[cC]hunkedEncoding',
    'handle,\\n',
  ].join('|'),
)
/** `_read` of a stream class of our own is documented; so is extending one. */
const STREAMS = ['adapters/answer-socket.ts', 'adapters/node-request-body.ts']

test('the page of undocumented parts of Node.js is the one of the table', () => {
  const page = readFileSync(join(root, 'docs', 'reference', 'node-internals.md'), 'utf8')
  expect(page).toBe(renderNodeInternals())
})

test('no other file touches undocumented parts of Node.js', () => {
  const touching = readdirSync(source, { recursive: true })
    .map((path) => String(path).replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .filter((path) => !STREAMS.includes(path))
    .filter((path) => TOUCHES.test(withoutComments(readFileSync(join(source, path), 'utf8'))))
  const listed = new Set(NODE_INTERNALS.flatMap(({ files }) => files))
  expect(touching.sort()).toEqual([...listed].sort())
})

function withoutComments(code: string): string {
  return code.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
}

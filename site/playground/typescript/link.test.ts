import { afterAll, expect, test } from 'vitest'
import { LinkError, linkModules } from './link.ts'
import { errorText, forgetUrls, readableStack } from './stacks.ts'

afterAll(forgetUrls)

const modules = { monoceros: { answer: 42 } }
const link = (sources: Record<string, string>) => () => linkModules(sources, 'main.ts', modules)

/** What a module was made of. */
async function sourceOf(url: string): Promise<string> {
  return await (await fetch(url)).text()
}

test('imports become blobs, once for each file', async () => {
  const url = link({
    'main.ts': "import { a } from './a.ts'\nimport { b } from './b.ts'\nexport const app = a + b",
    'a.ts': "import { answer } from 'monoceros'\nexport const a = answer",
    'b.ts': "import { a } from './a.ts'\nexport const b = a",
  })()
  const source = await sourceOf(url)
  const urls = [...source.matchAll(/from '(blob:[^']+)'/g)].map((match) => match[1]!)
  expect(urls).toHaveLength(2)
  expect(source).toContain('//# sourceURL=main.ts')
  expect(await sourceOf(urls[1]!)).toContain(urls[0]!)
  const [, page] = /from '(blob:[^']+)'/.exec(await sourceOf(urls[0]!))!
  expect(await sourceOf(page!)).toContain('export const answer = module.answer')
})

test('import.meta is that of a file, and import() of a file works', async () => {
  const source = await sourceOf(
    link({ 'main.ts': "import.meta.dirname; import('./a.ts')", 'a.ts': 'export {}' })(),
  )
  expect(source).toContain("dirname: '/tutorial'")
  expect(source).toMatch(/import\("blob:[^"]+"\)/)
})

test.each([
  ["import './b.ts'", 'main.ts: there is no file ./b.ts'],
  ["import './a'", "main.ts: there is no file ./a; write './a.ts'"],
  ["import 'node:fs'", "main.ts: the page has no module 'node:fs'"],
  ["import './constructor'", 'main.ts: there is no file ./constructor'],
  ["import './ring.ts'", 'main.ts → ring.ts → main.ts'],
])('%s is one clear line', (source, message) => {
  const sources = { 'main.ts': source, 'a.ts': '', 'ring.ts': "import './main.ts'" }
  expect(link(sources)).toThrow(LinkError)
  expect(link(sources)).toThrow(message)
})

test('a stack has the names of files, and no frames of the page', () => {
  const url = link({ 'main.ts': 'export {}' })()
  const stack = [
    'Error: no luck',
    `    at app (${url}:2:9)`,
    '    at answer (https://site/playground/typescript-worker.js:1:2)',
    '    at new Promise (<anonymous>)',
  ].join('\n')
  expect(readableStack(stack)).toBe('Error: no luck\n    at app (main.ts:2:9)')
  const other = [
    `app@${url}:2:9`,
    'validator/<@https://site/playground/typescript-worker.js:1:2',
    '@https://site/playground/typescript-worker.js:1:2',
    'module code@https://site/playground/typescript-worker.js:1:2',
    'Promise@[native code]',
  ].join('\n')
  expect(readableStack(other)).toBe('app@main.ts:2:9')
  const error = Object.assign(new Error('no luck'), { stack: `app@${url}:2:9` })
  expect(errorText(error)).toBe('Error: no luck\napp@main.ts:2:9')
})

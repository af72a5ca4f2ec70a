import { afterAll, beforeAll, expect, test } from 'vitest'
import { NodeProject } from '../support/node-project.ts'
import { blocksOf, consoleCommands, filesOnPage } from '../support/page-blocks.ts'
import { testPython } from '../support/python.ts'
import { runToEnd } from '../support/running-server.ts'

// The page about tests, with each test runner as a user has it.

const blocks = blocksOf('docs/guides/how-to/tests.md')

/** A command of the page that has this word in it, without its comment. */
function command(word: string): string {
  const commands = blocks
    .filter(({ language }) => language === 'console')
    .flatMap(({ text }) => consoleCommands(text).map(({ command }) => command.replace(/ +#.*/, '')))
  const found = commands.filter((line) => line.includes(word))
  if (found.length !== 1) throw new Error(`${found.length} commands of the page have ${word}`)
  return found[0]!
}

let project: NodeProject
beforeAll(async () => {
  project = await NodeProject.open('test-runners')
  for (const [name, text] of filesOnPage(blocks)) project.write(name, text)
  project.write(
    'flaskapp.py',
    'from flask import Flask\napp = Flask(__name__)\napp.get("/")(lambda: "Hello")\n',
  )
}, 300_000)
afterAll(() => project?.remove())

async function output(line: string): Promise<string> {
  const env = { ...project.environment, NO_COLOR: '1' }
  const { code, stdout, stderr } = await runToEnd('sh', ['-c', line], { env, cwd: project.path })
  expect(code, stdout + stderr).toBe(0)
  return stdout + stderr
}

test('node:test runs the test of the page', async () => {
  expect(await output(command('jiti/register'))).toMatch(/pass 1$/m)
})

test('Vitest runs those of the page, also of Flask', async () => {
  expect(testPython().executable).not.toBe('')
  const printed = await output(command('vitest run'))
  expect(printed).toMatch(/Test Files +2 passed/)
  expect(printed).toMatch(/Tests +2 passed/)
})

test('Jest runs the test of the page', async () => {
  expect(await output(command('npx jest'))).toMatch(/Tests: +1 passed/)
})

import { expect, onTestFinished, test } from 'vitest'
import { EditedProject } from '../support/edited-project.ts'
import { startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

test('--reload follows an application on the embedded Python', async () => {
  const project = new EditedProject({
    'app.py': `def app(environ, start_response):
    import words
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [words.word.encode()]
`,
    'words.py': 'word = "one"\n',
  })
  onTestFinished(project.remove)
  const server = await startServer({
    app: 'app:app',
    args: ['--runtime', 'pyodide', '--reload'],
    cwd: project.path,
  })
  const answers = (text: string) =>
    waitFor(`the answer ${text}`, async () => {
      const response = await fetch(server.url, { headers: { Accept: 'text/plain' } })
      return (await response.text()).includes(text) && response
    })
  await answers('one')
  project.edit('words.py', 'one', 'two')
  await answers('two')
  project.edit('app.py', 'return [', 'return (')
  const broken = await answers('SyntaxError')
  expect(broken.status).toBe(500)
  project.edit('app.py', 'return (', 'return [')
  await answers('two')
})

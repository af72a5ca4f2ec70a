import { test } from 'vitest'
import { clientsLeave, startLeft } from '../support/leaving-clients.ts'

test('clients that leave an application on the embedded Python are no errors', async () => {
  await clientsLeave(await startLeft(['--runtime', 'pyodide', '--no-request-buffering']), true)
})

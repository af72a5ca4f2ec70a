import { describe, test } from 'vitest'
import { clientsLeave, startLeft, startLeftTypeScript } from '../support/leaving-clients.ts'
import { hasPython } from '../support/python.ts'

describe('clients that leave are no errors', () => {
  const streaming = '--no-request-buffering'

  test.skipIf(!hasPython()).each([
    ['one thread', [streaming], true],
    ['threads', [streaming, '--threads', '3'], true],
    ['bodies that are buffered', [], false],
  ])('of a Python application: %s', async (_, args, streamed) => {
    await clientsLeave(await startLeft(args), streamed)
  })

  test('of a TypeScript application', async () => {
    await clientsLeave(await startLeftTypeScript(), true)
  })
})

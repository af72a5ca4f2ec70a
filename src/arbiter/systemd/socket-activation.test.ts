import { expect, test } from 'vitest'
import { activatedSockets } from './socket-activation.ts'

function activated(environment: Record<string, string | undefined>) {
  const warnings: string[] = []
  const sockets = activatedSockets(environment, 77, (text) => warnings.push(text))
  return { sockets, warnings, environment }
}

test('sockets for this process begin at descriptor 3, and its children do not hear of them', () => {
  const { sockets, environment } = activated({
    LISTEN_PID: '77',
    LISTEN_FDS: '2',
    LISTEN_FDNAMES: 'web:unknown',
    HOME: '/',
  })
  expect(sockets).toEqual({
    addresses: [
      { kind: 'fd', fd: 3 },
      { kind: 'fd', fd: 4 },
    ],
    names: ['web'],
  })
  expect(environment).toEqual({ HOME: '/' })
})

test('sockets for another process are left alone, with a warning', () => {
  const { sockets, warnings, environment } = activated({ LISTEN_PID: '76', LISTEN_FDS: '1' })
  expect(sockets.addresses).toEqual([])
  expect(warnings).toEqual([
    expect.stringMatching(/for process 76, and this is 77\. .* \[MONO3013\]$/),
  ])
  expect(environment).toHaveProperty('LISTEN_FDS')
})

test('without the variables there are none', () => {
  expect(activated({})).toMatchObject({ sockets: { addresses: [] }, warnings: [] })
  expect(activated({ LISTEN_FDS: '2' })).toMatchObject({ sockets: { addresses: [] } })
})

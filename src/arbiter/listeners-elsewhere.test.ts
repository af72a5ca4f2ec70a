import { constants } from 'node:os'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ListenOptions } from './listeners.ts'

// What happens on machines that are not this one: where Node.js is older, or where the kernel has
// no IPv6. Only what they answer is put in place of this machine's.

const machine = vi.hoisted(() => ({ canBind: true, errno: 0 }))
vi.mock('../transport/bound-socket.ts', async (original) => {
  const real = await original<typeof import('../transport/bound-socket.ts')>()
  return {
    ...real,
    canReusePort: () => machine.canBind && real.canReusePort(),
    canBindAbstract: () => machine.canBind && real.canBindAbstract(),
    bindTcp: (...args: Parameters<typeof real.bindTcp>) => {
      if (machine.errno !== 0) throw new real.SocketError(-machine.errno)
      return real.bindTcp(...args)
    },
  }
})
// Tests of one process share modules: this one gets its own, and leaves none behind.
vi.resetModules()
const { ListenError, listenAt } = await import('./listeners.ts')
afterAll(() => {
  vi.resetModules()
})

beforeEach(() => {
  Object.assign(machine, { canBind: true, errno: 0 })
})

async function failure(
  address: Parameters<typeof listenAt>[0][number],
  options: Partial<ListenOptions> = {},
): Promise<string> {
  const error = await listenAt([address], { backlog: 10, ...options }).catch((reason) => reason)
  expect(error).toBeInstanceOf(ListenError)
  return (error as Error).message
}

describe('with a Node.js that cannot bind the socket, and no Python that does it instead', () => {
  beforeEach(() => {
    machine.canBind = false
  })

  test('a shared port says what it needs', async () => {
    const address = { kind: 'tcp', host: '127.0.0.1', port: 8000 } as const
    expect(await failure(address, { reusePort: true, pythons: ['/nowhere/python3'] })).toMatch(
      /^Cannot listen at 127\.0\.0\.1:8000: --reuse-port needs Node\.js 22\.12 or newer, or a Python 3 that binds the socket for v\d+.* \[MONO3007\]$/,
    )
  })

  test.runIf(process.platform === 'linux')('an abstract name says what it needs', async () => {
    expect(await failure({ kind: 'unix', path: '\0shop' }, { pythons: [] })).toMatch(
      /^Cannot listen at unix:@shop: an abstract socket needs Node\.js 22 or newer, or a Python 3 that .* \[MONO3007\]$/,
    )
  })
})

test('without IPv6, its addresses are explained', async () => {
  machine.errno = constants.errno.EAFNOSUPPORT
  expect(await failure({ kind: 'tcp', host: '::1', port: 8000 })).toBe(
    'Cannot listen at [::1]:8000: this machine does not support IPv6. ' +
      'Use an IPv4 address with --bind. [MONO3009]',
  )
})

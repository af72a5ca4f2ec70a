import { tmpdir } from 'node:os'
import { expect, test, vi } from 'vitest'
import { loadSettings } from '../config/load-settings.ts'
import type { ErrorLog } from '../logging/error-log.ts'
import { clientBudgets } from './client-budgets.ts'

test('that client_memory is used up is logged, and not again within 10 seconds', async () => {
  const warnings: string[] = []
  const log = { warning: (text: string) => warnings.push(text) } as unknown as ErrorLog
  const args = ['--client-memory', '4M', '--acceptors', '2', 'shop:app']
  const { settings } = await loadSettings({ args, env: {}, cwd: tmpdir() })
  const { memory } = clientBudgets(settings, tmpdir(), log)
  const expected =
    'client_memory is used up: 2097152 bytes are held for clients, and each acceptor may hold ' +
    '2097152. Requests that need more are answered 503, and clients that hold memory without ' +
    'progress are disconnected [MONO4032]'
  const now = vi.spyOn(performance, 'now').mockReturnValue(50_000)
  const fill = () => {
    memory.add(2 * 1024 * 1024)
    memory.add(-2 * 1024 * 1024)
  }
  memory.add(2 * 1024 * 1024 - 1)
  expect(warnings).toEqual([])
  memory.add(-(2 * 1024 * 1024 - 1))
  fill()
  expect(warnings).toEqual([expected])
  now.mockReturnValue(59_999)
  fill()
  expect(warnings).toEqual([expected])
  now.mockReturnValue(60_000)
  fill()
  expect(warnings).toEqual([expected, expected])
  now.mockRestore()
})

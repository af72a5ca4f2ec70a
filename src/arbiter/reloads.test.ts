import { expect, test } from 'vitest'
import type { ReloadAttempt } from './reload-attempt.ts'
import { Reloads } from './reloads.ts'

test('a request during a reload abandons it, and begins again with its own cause', async () => {
  const causes: string[] = []
  const abandoned: string[] = []
  const reloads = new Reloads({
    attempt: async (cause, attempt) => {
      causes.push(cause)
      // The first one never ends by itself.
      if (causes.length === 1) await untilAbandoned(attempt)
      return attempt.abandoned ? { reloaded: false, reason: 'abandoned' } : { reloaded: true }
    },
    abandoned: (cause) => abandoned.push(cause),
    stopping: () => false,
  })
  const first = reloads.request('a.html has changed')
  const second = reloads.request('views.py has changed')
  expect(await first).toEqual({ reloaded: true })
  expect(await second).toEqual({ reloaded: true })
  expect(abandoned).toEqual(['views.py has changed'])
  expect(causes).toEqual(['a.html has changed', 'views.py has changed'])
})

async function untilAbandoned(attempt: ReloadAttempt): Promise<void> {
  await new Promise<void>((resolve) => attempt.ending(resolve))
}

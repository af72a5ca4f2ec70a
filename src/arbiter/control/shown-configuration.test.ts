import { expect, test } from 'vitest'
import { loadSettings } from '../../config/load-settings.ts'
import { shownConfiguration } from './shown-configuration.ts'

test('shows each setting with its source, and no secret', async () => {
  const args = [
    ...['--workers', '3', '-e', 'DATABASE_URL=postgres://shop:wonderful@db/shop'],
    ...['-e', 'KEY=wonderful', '--rate-limit', '5/s'],
    ...['--rate-limit-store', 'redis://limiter:wonderful@cache:6379/0', 'shop:app'],
  ]
  const { settings, origins } = await loadSettings({ args, env: { PORT: '8123' }, cwd: '/' })
  const shown = shownConfiguration(settings, origins)
  const of = (name: string) => shown.find((one) => one.name === name)
  expect(of('workers')).toEqual({ name: 'workers', value: 3, source: '--workers' })
  expect(of('timeout')).toMatchObject({ source: null })
  expect(of('raw_env')?.value).toEqual({ DATABASE_URL: '***', KEY: '***' })
  expect(of('rate_limit_store')?.value).toBe('redis://limiter:***@cache:6379/0')
  expect(of('bind')?.source).toContain('PORT')
  expect(JSON.stringify(shown)).not.toContain('wonderful')
  expect(new Set(shown.map(({ name }) => name)).size).toBe(shown.length)
  expect(shown.length).toBeGreaterThan(100)
})

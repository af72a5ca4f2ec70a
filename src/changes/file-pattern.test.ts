import { expect, test } from 'vitest'
import { filePattern } from './file-pattern.ts'

test.each([
  ['a.toml', '/srv/a.toml', ['/srv/a.toml'], ['/srv/b/a.toml', '/srv/aXtoml']],
  ['/etc/*.conf', '/etc', ['/etc/a.conf', '/etc/.conf'], ['/etc/a/b.conf', '/etc/a.conf.bak']],
  ['locale/**/*.mo', '/srv/locale', ['/srv/locale/a.mo', '/srv/locale/de/LC/a.mo'], ['/srv/a.mo']],
  ['data/**', '/srv/data', ['/srv/data', '/srv/data/a/b'], ['/srv/database']],
  ['a?[bc][!d].x', '/srv', ['/srv/a1be.x', '/srv/a+cf.x'], ['/srv/a1bd.x', '/srv/a1b/.x']],
  ['a[b/c', '/srv', ['/srv/a[b/c'], ['/srv/ab/c']],
  ['x.(y)*', '/srv', ['/srv/x.(y)z'], ['/srv/x.y']],
])('%s names files from %s on', (pattern, base, matching, others) => {
  const read = filePattern(pattern, '/srv')
  expect(read.base).toBe(base)
  for (const path of matching) expect(read.matches(path), path).toBe(true)
  for (const path of others) expect(read.matches(path), path).toBe(false)
})

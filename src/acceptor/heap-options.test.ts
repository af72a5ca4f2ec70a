import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { heapOptions } from './heap-options.ts'

describe('the options of V8 for an acceptor', () => {
  it('are known to this Node.js', () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [...heapOptions(undefined, false), '-p', '"starts"'],
      { encoding: 'utf8' },
    )
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'starts\n' })
  })

  it('leave the size of the space for new objects to a user who sets it', () => {
    const size = (option: string) => option.includes('semi-space')
    expect(heapOptions('', false).some(size)).toBe(true)
    expect(heapOptions('--max-old-space-size=512', false).some(size)).toBe(true)
    expect(heapOptions('--max-semi-space-size=64', false).some(size)).toBe(false)
    expect(heapOptions('--no-warnings --max_semi_space_size=64', false).some(size)).toBe(false)
  })

  it('leave it to V8 with TLS: over HTTP/2 a request has more objects', () => {
    expect(heapOptions(undefined, true)).toEqual([
      '--single-threaded-gc',
      '--no-allocation-site-pretenuring',
    ])
  })
})

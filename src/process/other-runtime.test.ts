import { expect, test } from 'vitest'
import {
  insistOnNode,
  insistOnUnix,
  NeedsNodeError,
  NeedsUnixError,
  otherRuntime,
} from './other-runtime.ts'

test('Bun and Deno name themselves in process.versions, beside the Node.js that they act like', () => {
  expect(otherRuntime({ node: '26.3.0', bun: '1.4.5' })).toBe('Bun 1.4.5')
  expect(otherRuntime({ node: '24.2.0', deno: '2.9.6' })).toBe('Deno 2.9.6')
  expect(otherRuntime({ node: '24.2.0' })).toBeNull()
  expect(otherRuntime()).toBeNull()
})

test('what needs Node.js says so there, with what to do, and nothing on Node.js', () => {
  const call = () => insistOnNode('serve', 'Run it with node.', { bun: '1.4.5' })
  expect(call).toThrow(NeedsNodeError)
  expect(call).toThrow(
    /^serve needs Node\.js, because .* Bun 1\.4\.5 .*\. Run it with node\. \[MONO1009\]$/,
  )
  expect(call).toThrow(expect.objectContaining({ code: 'needs-node' }))
  insistOnNode('serve', 'Run it with node.')
})

test('what needs Linux or macOS says so on Windows, with what to do', () => {
  const call = () => insistOnUnix('The command monoceros', 'win32')
  expect(call).toThrow(NeedsUnixError)
  expect(call).toThrow(/^The command monoceros does not run on Windows\. Use .*WSL.* \[MONO1010\]$/)
  insistOnUnix('serve', 'darwin')
  insistOnUnix('serve')
})

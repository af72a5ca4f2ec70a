import { expect, it } from 'vitest'
import { ledgerError, openLedger } from './process-handle.ts'

it('a folder that the user cannot enter is named, with what to do', () => {
  const refused = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' })
  expect(ledgerError(refused, '/root/tmp/ledger-1').message).toMatch(
    /^the user of the server \(uid \d+\) cannot write into \/root\/tmp\. Set TMPDIR \(or --w/,
  )
})

it('another reason is told as it is', () => {
  expect(() => openLedger('/dev/null/ledger')).toThrow(/^ENOTDIR/)
})

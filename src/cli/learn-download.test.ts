import { expect, test } from 'vitest'
import { reasonIn } from './learn-download.ts'

const NO_NETWORK = `npm error code ECONNREFUSED
npm error syscall connect
npm error errno ECONNREFUSED
npm error FetchError: request to http://a.test/x failed, reason: connect ECONNREFUSED 127.0.0.1:1
npm error     at ClientRequest.<anonymous> (/usr/lib/node_modules/npm/index.js:130:14)
npm error A complete log of this run can be found in: /root/.npm/_logs/debug-0.log
`
const NOT_THERE = `npm error code E404
npm error 404 Not Found - GET http://index.test/monoceros-learn
npm error 404
npm error 404  The requested resource 'monoceros-learn@0.1.0' could not be found
`
const OTHER_VERSION = `npm error code ETARGET
npm error notarget No matching version found for monoceros-learn@0.1.0.
npm error notarget In most cases you or one of your dependencies are requesting
`
const PIP_NO_NETWORK = `WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by \
'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f0>: Failed to \
establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/x/
ERROR: Could not find a version that satisfies the requirement monoceros-learn==0.1.0 (from versions: none)
ERROR: No matching distribution found for monoceros-learn==0.1.0
`
const PIP_NOT_THERE = PIP_NO_NETWORK.slice(PIP_NO_NETWORK.indexOf('ERROR'))

test.each([
  [NO_NETWORK, /^request to http:\S+ failed, reason: connect ECONNREFUSED 127\.0\.0\.1:1$/],
  [NOT_THERE, /^Not Found - GET http:\/\/index\.test\/monoceros-learn$/],
  [OTHER_VERSION, /^No matching version found for monoceros-learn@0\.1\.0$/],
  [PIP_NO_NETWORK, /^Failed to establish .*: \[Errno -3\] Temporary failure in name resolution$/],
  [PIP_NOT_THERE, /^No matching distribution found for monoceros-learn==0\.1\.0$/],
  ['/usr/bin/python3: No module named pip\n', /^\/usr\/bin\/python3: No module named pip$/],
  ['npm error code EACCES\nnpm error Your cache folder is not yours\n', /^Your cache folder/],
  ['', /^it gives no reason$/],
  ['x'.repeat(300), /^x{197}\.\.\.$/],
  ['\u001b[31mno\u0007', /^\?\[31mno\?$/],
])('the reason is one line: %#', (output, reason) => {
  expect(reasonIn(output)).toMatch(reason)
})

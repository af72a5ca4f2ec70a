// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from './command.mjs'
import { plan } from './options.mjs'

const cases = (...args) => plan(args).sections.flatMap((section) => section.cases)

test('a full run has ten minutes, a quick one two', () => {
  assert.deepEqual([plan([]).kind, plan([]).limit], ['full', 600])
  assert.deepEqual([plan(['--quick']).kind, plan(['--quick']).limit], ['quick', 120])
})

test('more rounds make a full run longer, and fewer make it another', () => {
  const { kind, limit, rounds } = plan(['--rounds', '7'])
  assert.deepEqual([kind, limit, rounds], ['full', Number.POSITIVE_INFINITY, 7])
  assert.equal(plan(['--rounds', '2']).kind, 'custom')
  assert.equal(plan(['--rounds', '7', '--seconds', '2']).kind, 'custom')
})

test('who chooses gets all that was chosen, however long it takes', () => {
  const { kind, limit } = plan(['--workloads', 'hello', '--rounds', '50'])
  assert.deepEqual([kind, limit], ['custom', Number.POSITIVE_INFINITY])
  assert.equal(plan(['--workloads', 'hello', '--minutes', '3']).limit, 180)
})

test('workloads, connections and rates make a grid, by application', () => {
  const { sections } = plan([
    ...['--workloads', 'hello,flask', '--concurrency', '1,64', '--rates', '60%,500'],
    ...['--servers', 'monoceros,granian'],
  ])
  assert.equal(sections.length, 2)
  assert.deepEqual(sections[0].servers, ['monoceros', 'granian'])
  assert.deepEqual(
    sections[0].cases.map(({ connections, load }) => [connections, load]),
    [
      [1, undefined],
      [64, undefined],
      [64, { part: 0.6 }],
      [64, { perSecond: 500 }],
    ],
  )
})

test('static files have servers of their own', () => {
  const [section] = plan(['--workloads', 'static-10k']).sections
  assert.deepEqual(section.servers, ['monoceros-static', 'nginx'])
})

test('HTTPS and HTTP/2 are hello world and 10 KB, unless others are named', () => {
  assert.deepEqual(
    cases('--tls').map(({ workload }) => workload),
    ['hello', '10k'],
  )
  assert.deepEqual(
    cases('--http2', '--workloads', '1m').map(({ workload }) => workload),
    ['1m'],
  )
})

for (const [args, message] of [
  [['--servers', 'apache'], /--servers apache: there is none of that name; choose from monoceros,/],
  [['--concurrency', '0'], /--concurrency 0: it must be a whole number from 1 to 1000/],
  [['--rates', '60 %'], /--rates 60 %: it must be requests\/s, such as 600/],
  [['--rates', '60%', '--concurrency', '1'], /add 64 to --concurrency/],
  [['--rates', '10', '--workloads', 'echo'], /--workloads echo: --rates drive workloads without a/],
  [['--rates', '10', '--tls'], /--rates are for plain HTTP/],
  [['--http2', '--workloads', 'echo'], /--http2 drives workloads without a body only/],
  [['--tls', '--workloads', 'static-1m'], /static files are measured in plain HTTP only/],
  [['--colour'], /--colour/],
]) {
  test(`refused: ${args.join(' ')}`, () => {
    assert.throws(
      () => plan(args),
      (error) => error instanceof UsageError && message.test(error.message),
    )
  })
}

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { metricTable } from '../../src/metrics/metric-table.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { ask, metricsAddress } from '../support/metrics.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { hasProgram } from '../support/system-program.ts'
import { waitFor } from '../support/wait-for.ts'

// A real Prometheus, of Debian, scrapes three servers at once; promtool checks the metrics and the
// alert rules of examples/deploy/prometheus; every query of the dashboard and the rules is asked.

const APPLICATION = `
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
`
const rules = join(repository, 'examples', 'deploy', 'prometheus')
const dashboard = join(repository, 'examples', 'deploy', 'grafana', 'monoceros.json')

function promtool(args: string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  expect(`${status} ${stderr}`.trim(), stdout).toBe('0')
  return stdout
}

/** The queries of the dashboard, as Grafana sends them. */
function dashboardQueries(): string[] {
  const { panels } = JSON.parse(readFileSync(dashboard, 'utf8')) as {
    panels: { targets: { expr: string }[] }[]
  }
  return panels.flatMap(({ targets }) =>
    targets.map(({ expr }) =>
      expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.+'),
    ),
  )
}

test('the dashboard and the alert rules name metrics and labels that exist', () => {
  const text = [
    ...dashboardQueries(),
    readFileSync(join(rules, 'alerts.yml'), 'utf8'),
    readFileSync(join(rules, 'alerts-test.yml'), 'utf8'),
  ].join('\n')
  const named = new Set(text.match(/monoceros_[a-z0-9_]+/g))
  const exist = new Set<string>(
    metricTable.flatMap(({ name, type }) =>
      type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
    ),
  )
  expect(named.size).toBeGreaterThan(20)
  expect([...named].filter((name) => !exist.has(name))).toEqual([])
})

describe.skipIf(!hasPython() || !hasProgram('prometheus') || !hasProgram('promtool', 'prometheus'))(
  'Prometheus',
  () => {
    const servers: RunningServer[] = []
    const addresses: string[] = []
    let folder: { path: string; remove: () => void }
    let prometheus: ChildProcess
    let url: string

    beforeAll(async () => {
      folder = temporaryDirectory()
      writeFileSync(join(folder.path, 'shop.py'), APPLICATION)
      const args = ['--metrics-bind', '127.0.0.1:0']
      const options = { app: 'shop:app', args, cwd: folder.path, secure: false }
      servers.push(...(await Promise.all([1, 2, 3].map(() => startServer(options)))))
      addresses.push(...(await Promise.all(servers.map(metricsAddress))))
      copyFileSync(join(rules, 'alerts.yml'), join(folder.path, 'alerts.yml'))
      const targets = addresses.map((address) => new URL(address).host)
      const configuration = readFileSync(join(rules, 'prometheus.yml'), 'utf8')
        .replace('scrape_interval: 15s', 'scrape_interval: 1s')
        .replace("'127.0.0.1:9400'", targets.map((target) => `'${target}'`).join(', '))
      const file = join(folder.path, 'prometheus.yml')
      writeFileSync(file, configuration)
      promtool(['check', 'config', file])
      const port = await freePort()
      url = `http://127.0.0.1:${port}`
      prometheus = spawn(
        'prometheus',
        [
          `--config.file=${file}`,
          `--web.listen-address=127.0.0.1:${port}`,
          `--storage.tsdb.path=${join(folder.path, 'data')}`,
          '--enable-feature=exemplar-storage',
        ],
        { cwd: folder.path, stdio: 'ignore' },
      )
    })

    afterAll(async () => {
      const ended = new Promise((resolve) => prometheus.once('exit', resolve))
      prometheus.kill('SIGTERM')
      await ended
      folder.remove()
    })

    async function query(expression: string): Promise<{ value: [number, string] }[]> {
      const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`)
      const { status, data, error } = (await answer.json()) as {
        status: string
        error?: string
        data: { result: { value: [number, string] }[] }
      }
      expect(status, `${expression}: ${error}`).toBe('success')
      return data.result
    }

    function queryUntil(expression: string, value: number): Promise<unknown> {
      return waitFor(
        `${expression} to be ${value}`,
        async () => {
          const up = await fetch(`${url}/-/ready`).catch(() => null)
          if (up?.status !== 200) return undefined
          return Number((await query(expression))[0]?.value[1]) === value || undefined
        },
        60_000,
      )
    }

    test('it scrapes three servers, and knows of every request', async () => {
      await queryUntil('count(up{job="monoceros"} == 1)', 3)
      await queryUntil('count(monoceros_ready == 1)', 3)
      for (const [index, server] of servers.entries())
        for (let i = 0; i < 10 * (index + 1); i++) await (await fetch(server.url)).text()
      await queryUntil('sum(monoceros_requests_total{status="2xx"})', 60)
      await queryUntil('max(monoceros_requests_total{status="2xx"})', 30)
      await queryUntil('sum(monoceros_request_duration_seconds_count)', 60)
      await queryUntil('sum(monoceros_response_body_bytes_total)', 300)
    })

    test('it understands every query of the dashboard and of the rules', async () => {
      for (const expression of dashboardQueries()) await query(expression)
      const answer = await fetch(`${url}/api/v1/rules`)
      const { data } = (await answer.json()) as {
        data: { groups: { rules: { name: string; health: string }[] }[] }
      }
      expect(data.groups.flatMap((group) => group.rules).length).toBeGreaterThan(8)
    })

    test('promtool finds nothing to say of the metrics, and the rules alert', async () => {
      const { body } = await ask(addresses[0]!, '/metrics')
      expect(promtool(['check', 'metrics'], body)).toBe('')
      promtool(['check', 'rules', join(rules, 'alerts.yml')])
      promtool(['test', 'rules', join(rules, 'alerts-test.yml')])
    })
  },
)

/** The dashboard in the browser: asks its server each second, and shows what it says. */
import type { DetailsAnswer, HistoryAnswer, InstancesAnswer } from '../protocol.ts'
import { Actions } from './actions.ts'
import { Api, Refusal } from './api.ts'
import { Chart } from './chart.ts'
import { charts } from './chart-list.ts'
import { Details } from './details.ts'
import { byId, setText } from './dom.ts'
import { formatSeconds } from './format.ts'
import { Instances } from './instances.ts'
import { Store } from './store.ts'
import { followTheme } from './theme.ts'
import { Tiles } from './tiles.ts'

const HISTORY_MS = 1000
const DETAILS_MS = 2000
const INSTANCES_MS = 3000
/** What is read out changes at most so often, so that it does not chatter. */
const ANNOUNCE_MS = 10_000

const api = new Api()
const store = new Store()
const tiles = new Tiles()
const shownCharts = charts.map((definition) => new Chart(definition))
byId('charts').append(...shownCharts.map(({ whole }) => whole))
followTheme(() => {
  for (const chart of shownCharts) chart.recolour()
})

const windowSelect = byId<HTMLSelectElement>('window')
windowSelect.addEventListener('change', showHistory)

function showHistory(): void {
  const slice = store.slice(Number(windowSelect.value))
  for (const chart of shownCharts) chart.show(slice)
  tiles.show(store)
}

let paused = false
const pauseButton = byId<HTMLButtonElement>('pause')
pauseButton.addEventListener('click', () => {
  paused = !paused
  pauseButton.setAttribute('aria-pressed', `${paused}`)
  setText(pauseButton, paused ? 'Go on' : 'Pause')
})

const actions = new Actions(api, () => {
  actions.show(true)
  detailsAt = 0
})
const details = new Details(api, actions)
const instances = new Instances()
let detailsAt = 0
let instancesAt = 0

async function ask(): Promise<void> {
  const answer = await api.get<HistoryAnswer>(`dashboard/history?after=${store.next}`)
  if (store.add(answer)) {
    store.restart()
    return
  }
  showHead(answer)
  showHistory()
  actions.show(answer.actions)
  showLocked(answer)
  const now = performance.now()
  if (answer.details && now >= detailsAt) {
    detailsAt = now + DETAILS_MS
    const shown = await api.get<DetailsAnswer>('dashboard/details')
    details.show(shown)
    announce(shown)
  }
  if (answer.others > 0 && now >= instancesAt) {
    instancesAt = now + INSTANCES_MS
    instances.show((await api.get<InstancesAnswer>('dashboard/instances')).instances)
  }
}

function showLocked({ details: allowed, actions: hasToken }: HistoryAnswer): void {
  const place = byId('locked')
  place.hidden = allowed
  if (allowed) return
  byId('details').hidden = true
  setText(
    place,
    hasToken
      ? 'Workers, requests, errors, the log and the settings need the control token.'
      : 'Workers, requests, errors, the log and the settings are shown on the machine of the ' +
          'server, or with a control token (control_token_file).',
  )
}

let announced = ''
let announcedAt = Number.NEGATIVE_INFINITY

/** Tells screen readers what an operator should know, and no numbers. */
function announce({ status }: DetailsAnswer): void {
  const restarts = Object.values(status.restartCounts).reduce((sum, count) => sum + count, 0)
  const reload = status.lastReload === null ? '' : ` The last reload: ${status.lastReload.result}.`
  const text = `The server is ${status.state}. ${restarts} restarts so far.${reload}`
  const now = performance.now()
  if (text === announced || now - announcedAt < ANNOUNCE_MS) return
  announced = text
  announcedAt = now
  setText(byId('announce'), text)
}

function showHead({ application, state, version, startedAt }: HistoryAnswer): void {
  setText(byId('application'), application)
  document.title = `${application} – Monoceros`
  const badge = byId('state')
  setText(badge, state)
  badge.className = `badge ${state === 'serving' ? 'good' : state === 'stopping' ? 'bad' : ''}`
  const up = Date.now() / 1000 - startedAt
  setText(
    byId('about'),
    `Monoceros ${version}, up for ${formatSeconds(Math.max(1, Math.round(up)))}`,
  )
}

function trouble(text: string | null): void {
  const place = byId('trouble')
  place.hidden = text === null
  setText(place, text ?? '')
}

async function run(): Promise<void> {
  if (!paused && !document.hidden) {
    try {
      await ask()
      trouble(null)
    } catch (error) {
      const isRefused = error instanceof Refusal
      trouble(isRefused ? error.message : 'The server does not answer. This page tries again.')
    }
  }
  setTimeout(() => void run(), HISTORY_MS)
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden && !paused) void ask().catch(() => {})
})
void run()

import type { ProfileResult } from '../../control/profile-protocol.ts'
import { type CallNode, callTree } from '../../profile/call-tree.ts'
import type { Weight } from '../../profile/findings.ts'
import type { Api } from './api.ts'
import { element, section, setText, table } from './dom.ts'
import { formatSeconds } from './format.ts'

const ROW = 19
/** Narrower frames are left out, in pixels. */
const NARROWEST = 2
/** Rows of the table. */
const FUNCTIONS = 20

interface Frame {
  readonly node: CallNode
  readonly parent: Frame | null
  readonly button: HTMLButtonElement
}

/** Takes a profile of the application, and shows it as a flame graph and as a table. */
export class Profile {
  readonly whole: HTMLElement
  readonly #api: Api
  readonly #seconds = element('input', {
    type: 'number',
    min: 1,
    max: 60,
    value: 5,
    required: true,
  })
  readonly #weight = element(
    'select',
    {},
    element('option', { value: 'wall' }, 'time that passed'),
    element('option', { value: 'cpu' }, 'processor time'),
  )
  readonly #button = element('button', { type: 'submit', class: 'main' }, 'Take a profile')
  readonly #said = element('p', { role: 'status' })
  readonly #flame = element('div', { class: 'flame', role: 'group', 'aria-label': 'Flame graph' })
  readonly #rows: HTMLElement
  readonly #table: HTMLElement
  readonly #form: HTMLFormElement
  #result: ProfileResult | null = null
  #frames: Frame[] = []

  constructor(api: Api) {
    this.#api = api
    this.#form = element(
      'form',
      { class: 'form' },
      element('label', {}, 'Seconds', this.#seconds),
      element('label', {}, 'Show', this.#weight),
      this.#button,
    )
    const { whole, body } = table('Functions by their own time', [
      ['Function'],
      ['Own time', 'number'],
      ['Share', 'number'],
    ])
    this.#rows = body
    this.#table = element(
      'details',
      { hidden: true },
      element('summary', {}, 'Functions as a table'),
      whole,
    )
    this.#flame.hidden = true
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#take()
    })
    this.#weight.addEventListener('change', () => this.#draw())
    this.#flame.addEventListener('keydown', (event) => this.#move(event))
    new ResizeObserver(() => this.#draw()).observe(this.#said)
    this.whole = section('Profile', this.#form, this.#said, this.#flame, this.#table)
    this.whole.className = 'whole'
  }

  /** Whether the user may take one. */
  allow(allowed: boolean): void {
    this.#form.hidden = !allowed
    if (!allowed) setText(this.#said, 'Needs the control token.')
    else if (this.#said.textContent === 'Needs the control token.') setText(this.#said, '')
  }

  async #take(): Promise<void> {
    const seconds = Number(this.#seconds.value)
    this.#button.disabled = true
    setText(this.#said, `Samples the application for ${seconds} s …`)
    try {
      const given = { seconds, hertz: 100, worker: null, raw: false }
      this.#result = await this.#api.act<ProfileResult>('profile', given)
      const { findings, workers, failed } = this.#result
      setText(
        this.#said,
        `${findings.samples} samples of ${workers.length - failed.length} workers in ` +
          `${formatSeconds(findings.seconds)}. Press a frame to see it alone; arrow keys move.`,
      )
      this.#draw()
    } catch (error) {
      setText(this.#said, `No profile: ${(error as Error).message}`)
    } finally {
      this.#button.disabled = false
    }
  }

  #draw(): void {
    if (this.#result === null) return
    const root = callTree(this.#result.findings, this.#weight.value as Weight)
    this.#zoom(root, root)
    const own = ownTimes(root)
    this.#rows.replaceChildren(
      ...own
        .slice(0, FUNCTIONS)
        .map(([label, time]) =>
          element(
            'tr',
            {},
            element('td', { class: 'wide mono' }, label),
            element('td', { class: 'number' }, formatSeconds(time / 1e6)),
            element('td', { class: 'number' }, `${((time / root.time) * 100).toFixed(1)} %`),
          ),
        ),
    )
    this.#table.hidden = false
  }

  /** Shows a node over the whole width. */
  #zoom(root: CallNode, at: CallNode): void {
    this.#flame.hidden = false
    this.#frames = []
    const width = this.#flame.clientWidth
    const place = (node: CallNode, parent: Frame | null, left: number, depth: number) => {
      const size = at.time === 0 ? 0 : (node.time / at.time) * width
      if (size < NARROWEST) return depth - 1
      const button = element(
        'button',
        { type: 'button', class: classOf(node), tabindex: parent === null ? 0 : -1 },
        node.label,
      )
      const share = ((node.time / root.time) * 100).toFixed(1)
      const about = `${node.label}, ${formatSeconds(node.time / 1e6)}, ${share} %`
      button.setAttribute('aria-label', about)
      button.title = node.place === '' ? about : `${about}\n${node.place}`
      button.style.left = `${left}px`
      button.style.top = `${depth * ROW}px`
      button.style.width = `${size}px`
      // The outermost frame leads back to the whole.
      button.addEventListener('click', () => {
        this.#zoom(root, parent === null ? root : node)
        this.#frames[0]?.button.focus()
      })
      const frame = { node, parent, button }
      this.#frames.push(frame)
      let next = left
      let deepest = depth
      for (const child of [...node.children.values()].sort((a, b) => b.time - a.time)) {
        deepest = Math.max(deepest, place(child, frame, next, depth + 1))
        next += (child.time / at.time) * width
      }
      return deepest
    }
    const deepest = place(at, null, 0, 0)
    this.#flame.style.height = `${(deepest + 1) * ROW + 2}px`
    this.#flame.replaceChildren(...this.#frames.map(({ button }) => button))
  }

  #move(event: KeyboardEvent): void {
    const at = this.#frames.find(({ button }) => button === document.activeElement)
    if (at === undefined) return
    const siblings = this.#frames.filter(({ parent }) => parent === at.parent)
    const index = siblings.indexOf(at)
    const next = {
      ArrowUp: at.parent,
      ArrowDown: this.#frames.find(({ parent }) => parent === at),
      ArrowLeft: siblings[index - 1],
      ArrowRight: siblings[index + 1],
    }[event.key]
    if (next === undefined || next === null) return
    event.preventDefault()
    at.button.tabIndex = -1
    next.button.tabIndex = 0
    next.button.focus()
  }
}

function classOf({ kind }: CallNode): string {
  return kind === 'waiting' ? 'wait' : kind === 'route' || kind === 'all' ? 'route' : 'run'
}

/** Time in functions themselves, without what they called. */
function ownTimes(root: CallNode): [string, number][] {
  const times = new Map<string, number>()
  const visit = (node: CallNode, within: string) => {
    let own = node.time
    for (const child of node.children.values()) {
      own -= child.time
      visit(child, child.kind === 'waiting' ? `${node.label}, waiting` : child.label)
    }
    if (node.kind !== 'all' && own > 0) times.set(within, (times.get(within) ?? 0) + own)
  }
  visit(root, root.label)
  return [...times].sort((a, b) => b[1] - a[1])
}

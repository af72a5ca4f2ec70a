import { tutorialFiles, tutorialTasks } from 'virtual:tutorial'
import { judge, type Verdict } from './checks.ts'
import { Editor } from './editor.ts'
import { button, element, withCode, withErrorLinks } from './html.ts'
import type { MountedStep, MountOptions } from './index.ts'
import { LANGUAGE_NAMES, type LogEntry, type Run, type RunResult } from './protocol.ts'
import { RequestTextError, requestBytes } from './request-bytes.ts'
import { RequestForm } from './request-form.ts'
import { ResultView, summaryOf } from './result-view.ts'
import { type Runner, type RunnerState, runnerFor, StoppedError } from './runner.ts'
import { type Files, SavedCode } from './saved-code.ts'
import { readShareFragment, SHARE_PREFIX, type SharedCode, shareFragment } from './share-link.ts'
import { type Check, type Language, type Step, stepNumber } from './steps/step.ts'

/** Every program that is run has a key of its own. */
let runs = 0

/** The playground of one step. */
export class StepView implements MountedStep {
  readonly #step: Step
  readonly #options: MountOptions
  readonly #files: string
  readonly #root: HTMLElement
  readonly #saved = new SavedCode()
  readonly #editor: Editor
  readonly #form: RequestForm
  readonly #result: ResultView
  readonly #languages: Record<Language, HTMLButtonElement>
  readonly #tabs = element('div', { class: 'mp-tabs', role: 'tablist', 'aria-label': 'Files' })
  readonly #panel: HTMLElement
  readonly #status = element('p', { class: 'mp-status', role: 'status' })
  readonly #engine = element('span', { class: 'mp-engine' })
  readonly #run: HTMLButtonElement
  readonly #stop: HTMLButtonElement
  readonly #note = element('p', { class: 'mp-note', hidden: '' })
  readonly #checks = element('ol', { class: 'mp-checks' })
  readonly #stale = element(
    'p',
    { class: 'mp-stale', hidden: '' },
    'You have changed the code since this check.',
  )
  #language: Language
  #file = ''
  #changed: Record<string, string> = {}
  /** The program that is loaded; null after a change of its text. */
  #key: string | null = null
  #unwatch: () => void = () => {}
  #busy = false

  constructor(parent: HTMLElement, options: MountOptions) {
    this.#options = options
    this.#result = new ResultView(options.errors)
    this.#step = stepNumber(options.step)
    this.#files = new URL(
      options.files ?? '.',
      options.files === undefined ? import.meta.url : document.baseURI,
    ).href
    this.#language = options.language
    const id = `mp-${options.step}`
    this.#languages = {
      python: this.#languageButton('python'),
      typescript: this.#languageButton('typescript'),
    }
    const which = this.#step.mains === undefined ? '' : ' Run starts the program that is shown.'
    const help =
      'Tab indents. To leave the editor by keyboard, press Escape, then Tab. ' +
      `Ctrl+Enter runs.${which}`
    this.#panel = element('div', { class: 'mp-editor', role: 'tabpanel', id: `${id}-panel` })
    this.#run = button('Run', { class: 'mp-run' }, () => void this.#runNow(true))
    this.#stop = button('Stop', { class: 'mp-stop', disabled: '' }, () => {
      this.#runner.stop('It was stopped')
    })
    this.#form = new RequestForm(id, this.#step.requests, () => void this.#runNow(false))
    this.#root = element(
      'section',
      { class: 'mp', 'aria-label': `Try step ${options.step}`, id },
      element(
        'div',
        { class: 'mp-bar' },
        element(
          'div',
          { class: 'mp-languages', role: 'group', 'aria-label': 'Language' },
          this.#languages.python,
          this.#languages.typescript,
        ),
        this.#tabs,
      ),
      this.#note,
      this.#panel,
      element('p', { class: 'mp-help', 'aria-hidden': 'true' }, help),
      element(
        'div',
        { class: 'mp-actions' },
        this.#run,
        this.#stop,
        button('Check the task', { class: 'mp-check' }, () => void this.#check()),
        button('Share', {}, () => void this.#share()),
        options.save === undefined ? '' : button('Save', {}, () => void this.#save()),
        button('Reset', {}, () => this.#reset()),
        this.#engine,
      ),
      this.#form.root,
      this.#status,
      this.#result.root,
      element(
        'div',
        { class: 'mp-task' },
        element('p', {}, element('strong', {}, 'Task. '), ...withCode(this.#task())),
        this.#stale,
        this.#checks,
      ),
    )
    parent.append(this.#root)
    this.#editor = new Editor({
      parent: this.#panel,
      help,
      changed: (file, text) => this.#textChanged(file, text),
      run: () => void this.#runNow(true),
    })
    this.#open()
    this.#startWhenIdle()
    void this.#takeShared()
    window.addEventListener('hashchange', this.#onHash)
  }

  setLanguage(language: Language): void {
    if (language === this.#language) return
    this.#language = language
    this.#open()
    this.#startWhenIdle()
  }

  destroy(): void {
    window.removeEventListener('hashchange', this.#onHash)
    this.#unwatch()
    this.#editor.destroy()
    this.#root.remove()
  }

  get #runner(): Runner {
    return runnerFor(this.#language, this.#files)
  }

  // The code.

  #original(file: string): string {
    if (file === 'command.txt') return this.#step.command?.[this.#language] ?? ''
    return tutorialFiles[file] ?? ''
  }

  #task(): string {
    return tutorialTasks[this.#step.number] ?? ''
  }

  #text(file: string): string {
    return this.#changed[file] ?? this.#original(file)
  }

  #open(): void {
    const language = this.#language
    for (const [name, each] of Object.entries(this.#languages))
      each.setAttribute('aria-pressed', String(name === language))
    this.#changed = { ...this.#saved.read(this.#step.number, language) }
    this.#key = null
    this.#note.hidden = true
    this.#result.clear()
    this.#status.textContent = ''
    this.#showChecks(new Map())
    this.#editor.forget()
    const [first = ''] = this.#step.files[language]
    this.#showFile(first)
    this.#unwatch()
    this.#unwatch = this.#runner.watch((state) => this.#showEngine(state))
  }

  #showFile(file: string): void {
    this.#file = file
    const names = this.#step.files[this.#language]
    const tabs = names.map((name) => {
      const selected = name === file
      const tab = button(
        name,
        {
          role: 'tab',
          id: `${this.#root.id}-tab-${name}`,
          'aria-selected': String(selected),
          'aria-controls': this.#panel.id,
          tabindex: selected ? '0' : '-1',
        },
        () => this.#showFile(name),
      )
      tab.addEventListener('keydown', ({ key }) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[key]
        if (step === undefined) return
        this.#showFile(names[(names.indexOf(name) + step + names.length) % names.length]!)
        this.#tabs.querySelector<HTMLElement>('[aria-selected=true]')?.focus()
      })
      return tab
    })
    const focused = this.#tabs.contains(document.activeElement)
    this.#tabs.replaceChildren(...tabs)
    if (focused) this.#tabs.querySelector<HTMLElement>('[aria-selected=true]')?.focus()
    this.#panel.setAttribute('aria-labelledby', `${this.#root.id}-tab-${file}`)
    this.#editor.show(file, this.#text(file), `${this.#language} ${file}`)
  }

  #textChanged(file: string, text: string): void {
    if (text === this.#original(file)) delete this.#changed[file]
    else this.#changed[file] = text
    this.#key = null
    this.#stale.hidden =
      this.#checks.querySelector('[data-state=passed], [data-state=missing]') === null
    // Otherwise a reload would bring back what the link had, instead of what was written since.
    if (location.hash.startsWith(SHARE_PREFIX))
      history.replaceState(history.state, '', location.pathname + location.search)
    const kept = this.#saved.write(this.#step.number, this.#language, this.#changed)
    if (!kept) this.#tell('This browser does not keep what you write: it is lost at a reload.')
  }

  #reset(): void {
    this.#saved.write(this.#step.number, this.#language, {})
    this.#open()
    this.#form.fill(this.#step.requests[0]!)
    this.#status.textContent = 'The files are those of the tutorial again.'
  }

  async #save(): Promise<void> {
    const names = this.#step.files[this.#language].filter((file) => file !== 'command.txt')
    const files = Object.fromEntries(names.map((file) => [file, this.#text(file)]))
    const project = { step: this.#step.number, language: this.#language, files }
    const command = this.#commandFor(names)
    this.#status.textContent = (await this.#options.save?.({ ...project, command })) ?? ''
  }

  /** What runs the step outside of the page. */
  #commandFor([first = '']: readonly string[]): string {
    const isPython = this.#language === 'python'
    const { kind } = this.#step
    if (kind === 'server') return `${isPython ? 'python3' : 'node'} ${first}`
    if (kind === 'command') return this.#text('command.txt').trim()
    const name = first.replace(/\.\w+$/, '')
    return isPython ? `monoceros ${name}:app` : `npx monoceros ./${first}:app`
  }

  #tell(text: string): void {
    this.#note.textContent = text
    this.#note.hidden = false
  }

  // Links.

  readonly #onHash = () => void this.#takeShared()

  async #takeShared(): Promise<void> {
    const shared = await readShareFragment(location.hash)
    if (shared === null || shared.step !== this.#step.number) return
    this.#take(shared)
  }

  #take({ language, files }: SharedCode): void {
    if (language !== this.#language) {
      this.setLanguage(language)
      this.#options.onLanguage?.(language)
    }
    const known = this.#step.files[language]
    this.#changed = Object.fromEntries(
      Object.entries(files).filter(([name]) => known.includes(name)),
    )
    this.#key = null
    this.#editor.forget()
    this.#showFile(known[0]!)
    this.#tell(
      'This code came with a link. Read it before you run it. Reset brings back the tutorial’s.',
    )
    this.#root.scrollIntoView()
  }

  async #share(): Promise<void> {
    const fragment = await shareFragment({
      step: this.#step.number,
      language: this.#language,
      files: this.#changed,
    })
    if (fragment === null) {
      this.#status.textContent = 'This is too long for a link.'
      return
    }
    history.replaceState(history.state, '', fragment)
    try {
      await navigator.clipboard.writeText(location.href)
      this.#status.textContent = 'The link to this code is in the clipboard.'
    } catch {
      this.#status.textContent = 'The link to this code is in the address bar.'
    }
  }

  // Running.

  #startWhenIdle(): void {
    const start = () => {
      if (this.#root.isConnected) this.#runner.start()
    }
    const { connection } = navigator as { connection?: { saveData?: boolean } }
    if (connection?.saveData === true) return
    if ('requestIdleCallback' in window) requestIdleCallback(start, { timeout: 2000 })
    else setTimeout(start, 500)
  }

  async #runNow(fresh: boolean): Promise<void> {
    let request: Uint8Array
    try {
      request = requestBytes(this.#form.read())
    } catch (error) {
      if (!(error instanceof RequestTextError)) throw error
      this.#status.textContent = error.message
      return
    }
    await this.#whileBusy(async () => {
      const ready = await this.#program()
      if ('failure' in ready) {
        this.#result.showFailure(ready.failure, [])
        this.#status.textContent = 'The command is wrong.'
        return
      }
      if (this.#key === null || fresh) this.#key = this.#newKey()
      const result = await this.#runner.run(this.#runOf(this.#key, ready.main, [request], fresh))
      if (result.failure === null) this.#result.show(result, request, ready.log)
      else this.#result.showFailure(result.failure, result.loading)
      this.#status.textContent = summaryOf(result)
    })
  }

  async #check(): Promise<void> {
    await this.#whileBusy(async () => {
      const verdicts = new Map<Check, Verdict>()
      for (const check of this.#step.checks) {
        const verdict = await this.#verdict(check)
        if (typeof verdict === 'string') {
          // All others would say the same.
          this.#key = null
          this.#showChecks(new Map([[check, { passed: false, missing: verdict }]]))
          const what = this.#step.kind === 'command' ? 'command is wrong' : 'program has an error'
          this.#status.textContent = `The ${what}: the checks do not pass yet.`
          this.#checks.scrollIntoView({ block: 'nearest' })
          return
        }
        verdicts.set(check, verdict)
      }
      this.#key = null
      this.#showChecks(verdicts)
      const missing = [...verdicts.values()].filter(({ passed }) => !passed).length
      this.#status.textContent =
        missing === 0
          ? `Done: all ${verdicts.size} checks pass.`
          : `${missing} of ${verdicts.size} checks do not pass yet. The task says what is missing.`
      if (missing > 0) this.#checks.scrollIntoView({ block: 'nearest' })
    })
  }

  /** What came of a check; or, as a text, why the program cannot be loaded. */
  async #verdict(check: Check): Promise<Verdict | string> {
    const ready = await this.#program()
    if ('failure' in ready) return ready.failure
    const [first = ''] = this.#step.files[this.#language]
    const { settings } = check.expect
    if (settings !== undefined) {
      const { differingSettings } = await import('./command/read-command.ts')
      const differing = differingSettings(ready.settings, settings)
      const passed = differing.length === 0
      return { passed, missing: passed ? '' : [check.hint, ...differing].join('\n') }
    }
    // The task is about the first file, whichever is shown.
    const own = this.#step.kind === 'command' ? ready.main : first
    const main = check.probe === undefined ? own : this.#probeName()
    const run = this.#runOf(this.#newKey(), main, check.requests.map(requestBytes), true)
    const files =
      check.probe === undefined
        ? run.files
        : { ...run.files, [this.#probeName()]: check.probe[this.#language] }
    const result = await this.#runner.run({ ...run, files })
    // A probe cannot be loaded if what it imports is not as the task wants it.
    if (result.failure !== null && check.probe === undefined) return result.failure
    return judge(check, result)
  }

  #probeName(): string {
    return this.#language === 'python' ? 'probe.py' : 'probe.ts'
  }

  #newKey(): string {
    runs += 1
    return `run ${runs}`
  }

  #runOf(key: string, main: string, requests: readonly Uint8Array[], fresh: boolean): Run {
    const names = this.#step.files[this.#language].filter((name) => name !== 'command.txt')
    const files: Files = Object.fromEntries(names.map((name) => [name, this.#text(name)]))
    const kind = this.#step.kind === 'server' ? 'server' : 'application'
    return { key, fresh, kind, files, main, requests }
  }

  /** What is to be run. For step 4, the command line says it. */
  async #program(): Promise<
    | { main: string; log: LogEntry[]; settings: Readonly<Record<string, unknown>> }
    | { failure: string }
  > {
    const { kind, files, mains } = this.#step
    const [first = ''] = files[this.#language]
    if (kind === 'command') {
      const { readCommand } = await import('./command/read-command.ts')
      const names = files[this.#language].filter((name) => name !== 'command.txt')
      return readCommand(this.#text('command.txt'), names)
    }
    const runnable = mains?.[this.#language] ?? []
    return { main: runnable.includes(this.#file) ? this.#file : first, log: [], settings: {} }
  }

  async #whileBusy(work: () => Promise<void>): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    this.#root.setAttribute('aria-busy', 'true')
    this.#stop.disabled = false
    const { is } = this.#runner.state
    const name = LANGUAGE_NAMES[this.#language]
    this.#status.textContent = is === 'ready' ? 'Running …' : `${name} is starting …`
    try {
      await work()
    } catch (error) {
      this.#key = null
      this.#result.clear()
      this.#status.textContent =
        error instanceof StoppedError ? error.message : `The page failed: ${String(error)}`
    } finally {
      this.#busy = false
      this.#stop.disabled = true
      this.#root.removeAttribute('aria-busy')
    }
  }

  // Showing.

  #languageButton(language: Language): HTMLButtonElement {
    return button(LANGUAGE_NAMES[language], { 'aria-pressed': 'false' }, () => {
      if (language === this.#language) return
      this.setLanguage(language)
      this.#options.onLanguage?.(language)
    })
  }

  #showEngine(state: RunnerState): void {
    const name = LANGUAGE_NAMES[this.#language]
    const texts = {
      off: '',
      starting: `${name} is starting …`,
      ready: '',
      broken: '',
    }
    let text = texts[state.is]
    if (state.is === 'ready')
      text = `${state.version} is ready (${(state.milliseconds / 1000).toFixed(1)} s)`
    if (state.is === 'broken') text = `${name} cannot start: ${state.reason}`
    this.#engine.textContent = text
    this.#root.dataset.engine = state.is
  }

  #showChecks(verdicts: ReadonlyMap<Check, Verdict>): void {
    const items = this.#step.checks.map((check) => {
      const verdict = verdicts.get(check)
      const state = verdict === undefined ? 'open' : verdict.passed ? 'passed' : 'missing'
      const mark = { open: 'Not checked', passed: 'Passed', missing: 'Missing' }[state]
      const item = element(
        'li',
        { 'data-state': state },
        element('span', { class: 'mp-mark' }, mark),
        ' ',
        ...withCode(check.title),
      )
      if (verdict !== undefined && !verdict.passed)
        item.append(
          element(
            'pre',
            { class: 'mp-missing' },
            ...withErrorLinks(verdict.missing, this.#options.errors),
          ),
        )
      return item
    })
    this.#checks.replaceChildren(...items)
    this.#stale.hidden = true
  }
}

/** @internal for checks without a run */
export type { RunResult }

import { tar } from './tar.ts'

/** What the reader has written in a step of the tutorial. */
export interface WrittenProject {
  readonly step: number
  readonly language: 'python' | 'typescript'
  /** Texts by the names of files. */
  readonly files: Readonly<Record<string, string>>
  /** What runs it, after `cd`: `monoceros hello:app` */
  readonly command: string
}

const STORED = 'monoceros-learn-key'

/**
 * Takes the key from the address with which `monoceros learn` opened the page, and removes it from
 * there: the address may be shown to others. The key stays in this tab.
 *
 * @param base the path of the site
 */
export async function takeKey(base: string): Promise<void> {
  const { kind, value } =
    /^#(?<kind>key|once)=(?<value>[\w-]{10,})$/.exec(location.hash)?.groups ?? {}
  if (value === undefined) return
  history.replaceState(history.state, '', location.pathname + location.search)
  if (kind === 'key') return sessionStorage.setItem(STORED, value)
  const answer = await ask(base, 'key', { once: value })
  if (answer.ok) sessionStorage.setItem(STORED, String(answer.content.key))
  else console.warn(`Saving is not possible: ${answer.content.message}`)
}

/**
 * Saves a project: into a folder of this machine if `monoceros learn` serves the page, or else as
 * a download.
 *
 * @param base the path of the site
 * @returns what happened, for the reader
 */
export async function saveProject(base: string, project: WrittenProject): Promise<string> {
  const files = { ...project.files }
  if (project.language === 'typescript') files['package.json'] ??= PACKAGE
  const name = `wsgi-step-${project.step}`
  if (sessionStorage.getItem(STORED) === null) return download(name, files, project.command)
  let answer = await ask(base, 'save', { name, files })
  if (answer.status === 409) {
    const question = `${answer.content.message}\n\nReplace what is in them?`
    if (!confirm(question)) return 'Nothing was saved.'
    answer = await ask(base, 'save', { name, files, overwrite: true })
  }
  if (!answer.ok) return `Nothing was saved: ${answer.content.message}`
  const { folder, name: shown } = answer.content
  return `Saved in ${folder}. Run it there: cd ${shown} && ${project.command}`
}

const PACKAGE = `${JSON.stringify({ private: true, type: 'module' }, null, 2)}\n`

interface Answer {
  readonly ok: boolean
  readonly status: number
  readonly content: Readonly<Record<string, unknown>>
}

async function ask(base: string, request: string, body: unknown): Promise<Answer> {
  try {
    const response = await fetch(`${base}learn/api/${request}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'X-Monoceros-Key': sessionStorage.getItem(STORED) ?? '',
      },
      body: JSON.stringify(body),
    })
    return { ok: response.ok, status: response.status, content: await response.json() }
  } catch (error) {
    const message = `the server does not answer (${(error as Error).message})`
    return { ok: false, status: 0, content: { message } }
  }
}

function download(name: string, files: Record<string, string>, command: string): string {
  const paths = Object.entries(files).map(([path, text]) => [`${name}/${path}`, text] as const)
  const archive = tar(new Map(paths), Math.floor(Date.now() / 1000))
  const href = URL.createObjectURL(new Blob([archive], { type: 'application/x-tar' }))
  Object.assign(document.createElement('a'), { href, download: `${name}.tar` }).click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000)
  return `Downloaded ${name}.tar. Run it: tar xf ${name}.tar && cd ${name} && ${command}`
}

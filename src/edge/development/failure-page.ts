import { escapeHtml } from '../../semantics/html-text.ts'
import { excerptAt, excerptHtml, type SourceExcerpt } from '../../source-code/excerpt.ts'
import { isOfApplication, messageIn, type Place, placesIn } from '../../source-code/traceback.ts'

/** The only style that the page's policy allows, by its hash: see {@link PAGE_POLICY}. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --soft: #8882; --mark: #e0404033 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; white-space: pre-wrap; overflow-wrap: anywhere; margin: .25rem 0 1.5rem }
h1, pre, .place { font-family: ui-monospace, monospace }
h2 { font-size: 1.05rem; margin-top: 2rem }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; margin: .25rem 0 1rem }
pre, .place { font-size: 13px } .place { margin: 0; overflow-wrap: anywhere }
mark { display: block; color: inherit; background: var(--mark) }
.notice { border-left: 4px solid #e04040; padding-left: .75rem }
`

/** The hash of {@link PAGE_STYLE} (CSP Level 3 §2.3.1). A test compares them. */
export const PAGE_STYLE_HASH = 'sha256-XF2o2Nq+GEjLV30YFtBJry1hMEw2SZPMLr51M8cralY='

/**
 * The policy of the page: its own style, nothing else of the network but the script that refreshes
 * it, no frame around it.
 */
export const PAGE_POLICY =
  `default-src 'none'; style-src '${PAGE_STYLE_HASH}'; script-src 'self'; connect-src 'self'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** At most this many calls are shown with their source. */
const MOST_PLACES = 12
const SOURCE_FILE = /\.(?:py|[cm]?[jt]sx?)$/
const LINES_AROUND = 4

/** An application that cannot be loaded, in the forms in which clients want to read that. */
export class FailureReport {
  /** The whole error, as in the log. */
  readonly text: string
  /** The exception and its message. */
  readonly message: string
  #html: string | null = null

  /** @param text a traceback of Python, a stack of JavaScript, or a line that says what is wrong */
  constructor(text: string) {
    this.text = text
    this.message = messageIn(text)
  }

  get plain(): string {
    return `${this.text}\n`
  }

  get json(): string {
    return `${JSON.stringify({ error: this.message, traceback: this.text })}\n`
  }

  get html(): string {
    this.#html ??= page(this)
    return this.#html
  }
}

function page({ text, message }: FailureReport): string {
  const title = escapeHtml(message.split('\n', 1)[0]!)
  const all = message === text ? '' : `<h2>The whole error</h2>\n<pre>${escapeHtml(text)}</pre>\n`
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${PAGE_STYLE}</style>
</head>
<body>
<p>The application cannot be loaded:</p>
<h1>${escapeHtml(message)}</h1>
${placesSection(placesIn(text))}${all}<p class="notice">The server answers like this until a change
mends the application. This page shows source code and paths because of <code>--reload</code>.</p>
</body>
</html>
`
}

/** The calls in the application with their source, the last one first. */
function placesSection(places: readonly Place[]): string {
  const shown = places
    .filter(isOfApplication)
    .map((place) => ({ place, excerpt: excerptAt(place, SOURCE_FILE, LINES_AROUND) }))
    .filter((entry): entry is { place: Place; excerpt: SourceExcerpt } => entry.excerpt !== null)
  // Python names the innermost call last, JavaScript first.
  if (places[0] !== undefined && isPython(places[0])) shown.reverse()
  if (shown.length === 0) return ''
  return shown
    .slice(0, MOST_PLACES)
    .map(({ place, excerpt }) => placeHtml(place, excerpt))
    .join('')
}

function isPython({ file }: Place): boolean {
  return !/\.[cm]?[jt]sx?$/.test(file)
}

function placeHtml(place: Place, excerpt: SourceExcerpt): string {
  const name = place.name === '' ? '' : ` in ${escapeHtml(place.name)}`
  return `<p class="place">${escapeHtml(`${place.file}:${place.line}`)}${name}</p>
<pre>${excerptHtml(excerpt, place.line)}</pre>
`
}

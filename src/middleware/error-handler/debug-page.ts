import { escapeHtml } from '../../semantics/html-text.ts'
import { excerptHtml, type SourceExcerpt } from '../../source-code/excerpt.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'
import { textViews } from '../../wsgi/undecoded-text.ts'
import { type FailureFacts, failureFacts } from './failure-facts.ts'
import { maskedEnviron } from './masked-environ.ts'
import type { StackFrame } from './stack-frames.ts'
import { undecodedNotice } from './undecoded-notice.ts'

/** The only style that the page's policy allows, by its hash: see {@link DEBUG_POLICY}. */
export const DEBUG_STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --mark: #e0404033 }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
.message { font-size: 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere }
.request { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; margin: .25rem 0 1rem }
pre, td { font-family: ui-monospace, monospace; font-size: 13px }
mark { display: block; color: inherit; background: var(--mark) }
.place { font-family: ui-monospace, monospace; font-size: 13px; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td { border-bottom: 1px solid var(--line); padding: .2rem .5rem; vertical-align: top; overflow-wrap: anywhere }
td:first-child { white-space: nowrap } summary { cursor: pointer }
.notice { border-left: 4px solid #e04040; padding-left: .75rem }
`

/** The hash of {@link DEBUG_STYLE} (CSP Level 3 §2.3.1). A test compares them. */
export const DEBUG_STYLE_HASH = 'sha256-GCLFkUIRUeGHoSB/klVA54aGjdgu5d9IaeOdrTxsp/E='

/** The policy of the page: no script, no other resources, no form, no frame around it. */
export const DEBUG_POLICY =
  `default-src 'none'; style-src '${DEBUG_STYLE_HASH}'; base-uri 'none'; ` +
  "form-action 'none'; frame-ancestors 'none'; sandbox"

/** Renders an error as a page: its stack with source lines, its causes, and the request. */
export function debugPage(
  title: string,
  request: string,
  error: unknown,
  environ: WSGIEnvironment,
): string {
  const failures = failureFacts(error)
  const first = failures[0]!
  const heading =
    first.message === '' ? first.name : `${first.name}: ${first.message.split('\n', 1)[0]}`
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(heading)}</title>
<style>${DEBUG_STYLE}</style>
</head>
<body>
<p class="request">${escapeHtml(title)} · ${escapeHtml(request)}</p>
${notice(undecodedNotice(error, environ))}${failures.map(failureSection).join('\n')}
<h2>environ</h2>
<table>
${maskedEnviron(environ)
  .map(([name, value]) => `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(value)}</td></tr>`)
  .join('\n')}
</table>
${notice(decodedNotice(environ))}<p class="notice">This page is shown because of <code>errorHandler({ debug: true })</code>.
It reveals source code, paths and parts of the request:
never enable it where others can reach it.</p>
</body>
</html>
`
}

function notice(text: string): string {
  return text === '' ? '' : `<p class="notice">${escapeHtml(text)}</p>\n`
}

/** Says that the table shows text, and the environ has not. */
function decodedNotice(environ: WSGIEnvironment): string {
  const names = [...new Set(textViews(environ).map(({ variable }) => variable))]
  if (names.length === 0) return ''
  return (
    `${names.join(', ')}: shown as text, which decodeText() makes of the variable. ` +
    'In environ, each character stands for one byte.'
  )
}

function failureSection(failure: FailureFacts): string {
  const { relation, name, message, code } = failure
  const prefix = relation === '' ? '' : `${relation}: `
  const heading = `${prefix}${name}${code === '' ? '' : ` (${code})`}`
  const tag = relation === '' ? 'h1' : 'h2'
  return `<section>
<${tag}>${escapeHtml(heading)}</${tag}>
<p class="message">${escapeHtml(message)}</p>
${failure.traceback === null ? stackOf(failure) : pythonTraceback(failure)}
</section>`
}

function pythonTraceback(failure: FailureFacts): string {
  return `<pre>${escapeHtml(failure.traceback!)}</pre>
${folded('The stack in the server', failure.stack)}`
}

/** Shows the frames of the application with their source. The whole stack is folded. */
function stackOf(failure: FailureFacts): string {
  const shown = failure.frames.filter((frame) => failure.excerpts.has(frame))
  const others = failure.frames.length - shown.length
  const more = others > 0 && shown.length > 0 ? ` (${others} more)` : ''
  return `${shown.map((frame) => frameSection(frame, failure.excerpts.get(frame)!)).join('\n')}
${folded(`The whole stack${more}`, failure.stack, shown.length === 0)}`
}

function folded(summary: string, text: string, open = false): string {
  if (text === '') return ''
  const content = `<summary>${escapeHtml(summary)}</summary><pre>${escapeHtml(text)}</pre>`
  return `<details${open ? ' open' : ''}>${content}</details>`
}

function frameSection(frame: StackFrame, excerpt: SourceExcerpt): string {
  const name = frame.name === '' ? '' : `${escapeHtml(frame.name)} · `
  return `<p class="place">${name}${escapeHtml(`${frame.file}:${frame.line}:${frame.column}`)}</p>
<pre>${excerptHtml(excerpt, frame.line)}</pre>`
}

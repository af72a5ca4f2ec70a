import { escapeHtml } from '../semantics/html-text.ts'
import type { OverlayError } from './overlay-error.ts'

/**
 * A page that shows an error in Vite's overlay, and is loaded again when the application was. It
 * shows the traceback if the overlay cannot be loaded.
 *
 * @param client the address of Vite's client
 * @param text the whole error
 */
export function errorPage(error: OverlayError, client: string, text: string): string {
  const literal = (value: unknown) => JSON.stringify(value).replace(/</g, '\\u003c')
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(error.message.split('\n', 1)[0] ?? '')}</title>
<script type="module">
import { ErrorOverlay } from ${literal(client)}
if (document.querySelector('vite-error-overlay') === null)
  document.body.append(new ErrorOverlay(${literal(error)}))
</script>
</head>
<body>
<pre>${escapeHtml(text)}</pre>
</body>
</html>
`
}

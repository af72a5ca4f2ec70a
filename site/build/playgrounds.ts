import type { MarkdownRenderer } from 'vitepress'

/** Where the tutorial is in the site. */
const TUTORIAL = 'guides/tutorial.md'

/**
 * Makes a place for the playground at the end of each step of the tutorial, which is a section
 * whose heading begins with its number. `client/playground.ts` puts it there.
 */
export function playgrounds(md: MarkdownRenderer): void {
  md.core.ruler.push('playgrounds', (state) => {
    if (state.env.relativePath !== TUTORIAL) return
    let step: string | undefined
    for (let at = 0; at <= state.tokens.length; at++) {
      const token = state.tokens[at]
      const begins = token?.type === 'heading_open' && token.tag === 'h2'
      if (!begins && token !== undefined) continue
      if (step !== undefined) {
        const place = new state.Token('html_block', '', 0)
        place.content = `<div class="playground" data-playground-step="${step}"></div>\n`
        state.tokens.splice(at++, 0, place)
      }
      step = /^(\d+)\. /.exec(state.tokens[at + 1]?.content ?? '')?.[1]
    }
  })
}

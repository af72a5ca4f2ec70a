import { type CallNode, callTree } from './call-tree.ts'
import type { StackFindings, Weight } from './findings.ts'
import { SCRIPT, STYLE } from './flame-graph-page.ts'
import { timeLabel } from './labels.ts'

export interface FlameGraphOptions {
  /** Above the graph. */
  readonly title: string
  /** Below that, in one line. */
  readonly subtitle: string
  readonly weight: Weight
}

/** The height of a frame, and where the frames begin, in pixels. */
const ROW = 18
const TOP = 76
/** Narrower frames are left out, as a share of the whole; so the file stays small. */
const NARROWEST = 0.0002
/** Only these have a text from the beginning, and are reached with the Tab key. */
const LABELLED = 0.01

/**
 * A flame graph as a file of SVG: the outermost calls are at the top, and a frame is as wide as the
 * time in it, with all that it called. A click shows a frame alone, and there is a search; for both
 * the file has a script of its own, and nothing else is loaded.
 */
export function flameGraph(findings: StackFindings, options: FlameGraphOptions): string {
  const { title, subtitle, weight } = options
  const root = callTree(findings, weight)
  const frames: string[] = []
  const deepest = draw(root, { root, frames, from: 0, depth: 0 })
  const height = TOP + (deepest + 1) * ROW + 8
  const empty = root.time === 0 ? '<text x="12" y="96">Nothing was seen.</text>' : ''
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="${height}" lang="en">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
<rect class="page" width="100%" height="100%"/>
<text class="title" x="12" y="24">${escaped(title)}</text>
<text class="small" x="12" y="42">${escaped(subtitle)}</text>
<foreignObject x="8" y="48" width="100%" height="26"><div xmlns="http://www.w3.org/1999/xhtml">
<input type="search" id="search" placeholder="Search" aria-label="Search functions"/>
<button type="button" id="reset">Show all</button> <output id="found"></output>
</div></foreignObject>
${empty}<g id="frames">
${frames.join('\n')}
</g>
<script><![CDATA[${SCRIPT}]]></script>
</svg>
`
}

interface Drawing {
  readonly root: CallNode
  readonly frames: string[]
  /** Where it begins, in microseconds from the left. */
  readonly from: number
  readonly depth: number
}

/** Draws a frame and all below it. @returns the depth of the deepest */
function draw(node: CallNode, { root, frames, from, depth }: Drawing): number {
  const share = node.time / root.time
  if (!(share >= NARROWEST)) return depth
  const x = percent(from / root.time)
  const width = percent(share)
  const time = `${timeLabel(node.time)}, ${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`
  const place = node.place === '' ? '' : `\n${node.place}`
  const about = escaped(`${node.label}\n${time}${place}`)
  const label = share >= LABELLED ? escaped(node.label) : ''
  const focus = share >= LABELLED ? ' tabindex="0" role="button"' : ''
  const colour = node.kind === 'function' ? ` style="--h:${hue(node.label)}"` : ''
  frames.push(
    `<svg class="f ${node.kind}" x="${x}%" width="${width}%" y="${TOP + depth * ROW}" ` +
      `height="${ROW}" data-x="${x}" data-w="${width}" data-d="${depth}"${focus}>` +
      `<title>${about}</title><rect width="100%" height="${ROW - 1}"${colour}/>` +
      `<text x="4" y="13">${label}</text></svg>`,
  )
  let at = from
  let deepest = depth
  const children = [...node.children.values()].sort((a, b) => (a.label < b.label ? -1 : 1))
  for (const child of children) {
    deepest = Math.max(deepest, draw(child, { root, frames, from: at, depth: depth + 1 }))
    at += child.time
  }
  return deepest
}

function percent(share: number): string {
  return (share * 100).toFixed(4)
}

/** A warm colour that is always the same for a function. */
function hue(label: string): number {
  let hash = 0
  for (let at = 0; at < label.length; at++) hash = (hash * 31 + label.charCodeAt(at)) >>> 0
  return hash % 50
}

/** Text for XML; characters that XML does not allow are left out. */
function escaped(text: string): string {
  return text
    .replaceAll(/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

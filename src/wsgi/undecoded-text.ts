import { decodeText, encodeText } from './text.ts'
import type { WSGIEnvironment } from './types.ts'

/** A part of a variable that is text beyond ASCII. */
export interface TextView {
  readonly variable: string
  /** As it is in the environ, a character for each byte: `Ã¼`. */
  readonly view: string
  /** What it means: `ü`. */
  readonly text: string
}

/** Characters beyond ASCII, which in UTF-8 have two bytes or more. */
const RUN = /[\x80-\xff]{2,}/g
/** How much of a request is looked at. */
const MOST_VIEWS = 10
const LONGEST_VALUE = 2000
/** A response is looked for this many characters of a view. */
const LONGEST_VIEW = 40

/**
 * The parts of the path, the query string and the headers of a request that are UTF-8 beyond ASCII
 * (PEP 3333 "Unicode Issues"). At most ten, of the first 2,000 characters of each variable.
 */
export function textViews(environ: WSGIEnvironment): TextView[] {
  const views: TextView[] = []
  for (const variable of Object.keys(environ)) {
    if (!/^(SCRIPT_NAME|PATH_INFO|QUERY_STRING|HTTP_.*)$/.test(variable)) continue
    const value = environ[variable]
    if (typeof value !== 'string') continue
    for (const [run] of value.slice(0, LONGEST_VALUE).matchAll(RUN)) {
      const text = decodeText(run)
      if (text.includes('\ufffd')) continue
      views.push({ variable, view: run.slice(0, LONGEST_VIEW), text })
      if (views.length === MOST_VIEWS) return views
    }
  }
  return views
}

/** The first view that is in a text as it is, which is what a forgotten `decodeText` looks like. */
export function undecodedIn(text: string, views: readonly TextView[]): TextView | null {
  return views.find(({ view }) => text.includes(view)) ?? null
}

/**
 * The same for text in its UTF-8 bytes, each of them as one character: the value of a header, or a
 * body.
 */
export function undecodedInBytes(latin1: string, views: readonly TextView[]): TextView | null {
  return views.find(({ view }) => latin1.includes(encodeText(view))) ?? null
}

/** What to do about it, as a sentence. */
export function undecodedHint({ variable, view, text }: TextView): string {
  return (
    `has ${variable} undecoded, so "${visible(text)}" became "${visible(view)}": ` +
    `use decodeText(environ.${variable})`
  )
}

/** Control characters, and those that change the direction of text, as escapes. */
function visible(text: string): string {
  return text.replace(
    /[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

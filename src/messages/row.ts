/** What is known about an error or a warning, for its page and for `monoceros explain`. */
export interface MessageRow {
  /** What has happened, in a few words: the title of the page. */
  readonly title: string
  /** The level in the error log. What a command prints and then ends with is an error. */
  readonly level: 'warning' | 'error' | 'critical'
  /** The form of the line, without its code; `…` stands for what differs. */
  readonly line: string
  /** Sentences in Markdown, wrapped at will, as the cure is. */
  readonly cause: string
  readonly example: {
    /** Files beside those that {@link EXAMPLE_FILES} has, by name. */
    readonly files?: Readonly<Record<string, string>>
    /** Commands, one a line. */
    readonly run: string
    /** What they print, without the code; `…` stands for what differs. */
    readonly shows: string
  }
  readonly cure: string
  /** The test that makes it happen: `examples` runs `example`; others are paths in `tests/`. */
  readonly test: string
}

/** The files that examples take for granted. */
export const EXAMPLE_FILES: Readonly<Record<string, string>> = {
  'shop.py': `def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello"]
`,
}

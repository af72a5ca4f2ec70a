import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { javascript } from '@codemirror/lang-javascript'
import { python } from '@codemirror/lang-python'
import {
  bracketMatching,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language'
import { EditorState } from '@codemirror/state'
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
} from '@codemirror/view'
import { classHighlighter } from '@lezer/highlight'
import style from './editor.css'
import { element } from './html.ts'
import { FILE_LIMIT } from './saved-code.ts'

/** What an {@link Editor} is told. */
export interface EditorOptions {
  readonly parent: HTMLElement
  /** Read to those who cannot see it: how to leave the editor. */
  readonly help: string
  /** Called after each change, with the whole text. */
  readonly changed: (file: string, text: string) => void
  /** Called for Ctrl+Enter, or Cmd+Enter. */
  readonly run: () => void
}

/**
 * The editor of a step: one view, and a state for each file, so that each has its own undo.
 *
 * Tab indents. Escape and then Tab leaves the editor: CodeMirror has that by itself.
 */
export class Editor {
  readonly #view: EditorView
  readonly #options: EditorOptions
  readonly #states = new Map<string, EditorState>()
  #file = ''

  constructor(options: EditorOptions) {
    this.#options = options
    // In a document, CodeMirror would add a <style>, which a strict Content-Security-Policy
    // forbids; in a shadow it uses style sheets that are objects.
    const root = options.parent.attachShadow({ mode: 'open' })
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(style)
    root.adoptedStyleSheets.push(sheet)
    root.append(element('p', { id: 'help', class: 'help' }, options.help))
    this.#view = new EditorView({ parent: root, root })
  }

  /** Shows a file, as it was when it was shown last, or with `text` if it is new. */
  show(file: string, text: string, key: string): void {
    if (this.#file !== '') this.#states.set(this.#file, this.#view.state)
    this.#file = key
    this.#view.setState(this.#states.get(key) ?? this.#newState(file, text))
  }

  /** Forgets the files, so that the next {@link show} takes the text that it is given. */
  forget(): void {
    this.#states.clear()
    this.#file = ''
  }

  destroy(): void {
    this.#view.destroy()
  }

  #newState(file: string, text: string): EditorState {
    const { changed, run } = this.#options
    return EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        highlightActiveLine(),
        EditorView.lineWrapping,
        syntaxHighlighting(classHighlighter),
        indentUnit.of(file.endsWith('.py') ? '    ' : '  '),
        language(file),
        EditorState.changeFilter.of(({ newDoc }) => newDoc.length <= FILE_LIMIT),
        keymap.of([
          {
            key: 'Mod-Enter',
            run: () => {
              run()
              return true
            },
          },
          indentWithTab,
          ...defaultKeymap,
          ...historyKeymap,
        ]),
        EditorView.contentAttributes.of({
          'aria-label': `The file ${file}`,
          'aria-describedby': 'help',
          tabindex: '0',
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed(file, update.state.doc.toString())
        }),
      ],
    })
  }
}

function language(file: string) {
  if (file.endsWith('.py')) return python()
  if (file.endsWith('.ts')) return javascript({ typescript: true })
  return []
}

import { h, type VNode } from 'vue'

/** The smallest application, as the picture of the start page. */
export function heroImage(): VNode {
  return h('div', { class: 'hero-code', 'aria-hidden': 'true' }, [
    h('pre', [
      keyword('def'),
      ' ',
      h('b', 'app'),
      '(environ, start_response):\n    name = environ[',
      text('"PATH_INFO"'),
      '].strip(',
      text('"/"'),
      ')\n    start_response(',
      text('"200 OK"'),
      ', [\n        (',
      text('"Content-Type"'),
      ', ',
      text('"text/plain"'),
      '),\n    ])\n    ',
      keyword('return'),
      ' [',
      text('b"Hello, "'),
      ', name.encode()]',
    ]),
    h('div', { class: 'hero-request' }, [
      'GET /Ada',
      h('span', '→'),
      '200 OK',
      h('b', 'Hello, Ada'),
    ]),
  ])
}

function keyword(word: string): VNode {
  return h('i', { class: 'hero-keyword' }, word)
}

function text(literal: string): VNode {
  return h('i', { class: 'hero-text' }, literal)
}

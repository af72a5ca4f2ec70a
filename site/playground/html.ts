/** A part of the page: attributes are set as they are, children are nodes or text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

export function button(
  text: string,
  attributes: Readonly<Record<string, string>>,
  pressed: () => void,
): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, text)
  made.addEventListener('click', pressed)
  return made
}

/** Text with `code` in back quotes. */
export function withCode(text: string): (Node | string)[] {
  return text.split('`').map((part, index) => (index % 2 === 0 ? part : element('code', {}, part)))
}

/**
 * Text whose codes of errors (`MONO2003`) are links to their pages.
 *
 * @param errors the folder of the pages; without it there are no links
 */
export function withErrorLinks(text: string, errors: string | undefined): (Node | string)[] {
  if (errors === undefined) return [text]
  return text
    .split(/(?<=\[)(MONO\d{4})(?=\])/)
    .map((part, index) =>
      index % 2 === 0 ? part : element('a', { href: `${errors}${part}.html` }, part),
    )
}

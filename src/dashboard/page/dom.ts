/**
 * Elements. Whatever comes from a client or an application gets into the page as text only: nothing
 * here makes HTML of a string.
 */

type Attributes = Readonly<Record<string, string | number | boolean | null>>
export type Child = Node | string | null

/** Makes an element: `element('p', { class: 'soft' }, 'Nothing yet')`. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== false) made.setAttribute(key, value === true ? '' : `${value}`)
  made.append(...children.filter((child) => child !== null))
  return made
}

/** An element of the page. @throws Error if it is not there */
export function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no element ${id}`)
  return found as Kind
}

/** Changes a text only if it differs, so that a selection in it stays. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

/**
 * Makes the children of an element those of a list. Who stays is kept, with the focus in it and
 * what was opened in it.
 */
export function setList<Item, Made extends HTMLElement>(
  parent: HTMLElement,
  items: readonly Item[],
  keyOf: (item: Item) => string,
  make: (item: Item) => Made,
  update: (made: Made, item: Item) => void = () => {},
): void {
  const known = new Map<string, Made>()
  for (const child of [...parent.children] as Made[])
    if (child.dataset.key !== undefined) known.set(child.dataset.key, child)
  let place: Element | null = parent.firstElementChild
  const seen = new Set<string>()
  for (const item of items) {
    const key = keyOf(item)
    if (seen.has(key)) continue
    seen.add(key)
    let made = known.get(key)
    if (made === undefined) {
      made = make(item)
      made.dataset.key = key
    }
    update(made, item)
    if (made === place) place = place.nextElementSibling
    else parent.insertBefore(made, place)
  }
  for (const child of [...parent.children] as HTMLElement[])
    if (!seen.has(child.dataset.key ?? '')) child.remove()
}

/** A section of the page with a heading. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  const id = `title-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`
  return element('section', { 'aria-labelledby': id }, element('h2', { id }, title), ...children)
}

/** A table that scrolls sideways where it has no space. */
export function table(
  label: string,
  heads: readonly (readonly [string, string?])[],
): { readonly whole: HTMLElement; readonly body: HTMLTableSectionElement } {
  const body = element('tbody')
  const row = element(
    'tr',
    {},
    ...heads.map(([text, kind = '']) => element('th', { scope: 'col', class: kind }, text)),
  )
  const whole = element(
    'div',
    { class: 'scroll', role: 'region', tabindex: 0, 'aria-label': label },
    element('table', {}, element('thead', {}, row), body),
  )
  return { whole, body }
}

/**
 * Makes the addresses of the page that the server sent absolute. They are relative, so that the
 * site works from any path; but the menus stay when the reader goes on to a page in another folder.
 */
export function fixAddresses(): void {
  for (const link of document.querySelectorAll<HTMLLinkElement>('link[href]')) {
    link.setAttribute('href', link.href)
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>('a[href]')) {
    const address = link.getAttribute('href') ?? ''
    if (!/^([a-z]+:|#|\/)/i.test(address)) link.setAttribute('href', link.pathname + link.hash)
  }
}

/** What scrolls must be reached by the keyboard (WCAG 2.1.1): wide code and wide tables. */
export function reachScrolling(): void {
  for (const block of document.querySelectorAll<HTMLElement>('.vp-doc pre, .vp-doc table')) {
    if (block.scrollWidth <= block.clientWidth) continue
    block.tabIndex = 0
    // A table keeps its role.
    if (block.localName === 'pre') {
      block.setAttribute('role', 'group')
      block.setAttribute('aria-label', 'Code')
    }
  }
}

/** The value of the hidden field that Django's forms carry. */
export function csrfToken(page: string): string {
  const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(page)?.[1]
  if (!token) throw new Error(`no CSRF token in ${page}`)
  return token
}

import { expect } from 'vitest'

/**
 * What the shop of `tests/node-projects/shop.py` does for a client, wherever it is mounted: links,
 * redirects (also those between `/cart` and `/cart/`), forms, a session, uploads, streams.
 *
 * @param origin of the server, such as `http://127.0.0.1:3000`
 * @param mount such as `/shop`
 * @param headers that every request has
 */
export async function useShop(
  origin: string,
  mount: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const get = (path: string, more = {}) =>
    fetch(`${origin}${mount}${path}`, { headers: { ...headers, ...more } })

  // A browser gives up after twenty redirects, as fetch does.
  for (const path of ['', '/']) {
    const home = await get(path)
    expect([home.status, await home.text()]).toEqual([200, `<a href="${mount}/cart/">cart</a>`])
  }
  for (const path of ['/cart', '/cart/']) {
    const cart = await get(path)
    expect([cart.status, await cart.text()]).toEqual([200, '<ul></ul>'])
  }

  const added = await fetch(`${origin}${mount}/add`, {
    method: 'POST',
    headers: { ...headers, Origin: origin },
    body: new URLSearchParams({ item: 'café' }),
    redirect: 'manual',
  })
  expect(added.status).toBe(302)
  expect(new URL(added.headers.get('location')!, origin).pathname).toBe(`${mount}/cart/`)
  const cookie = added.headers.getSetCookie()[0]!.split(';')[0]!
  expect(await (await get('/cart/', { Cookie: cookie })).text()).toBe('<ul><li>café</li></ul>')

  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
    const echo = await fetch(`${origin}${mount}/echo?a=%C3%A9&b=1`, {
      method,
      headers: { ...headers, Origin: origin },
    })
    expect(await echo.json()).toEqual({ method, query: 'a=%C3%A9&b=1' })
  }

  const upload = await fetch(`${origin}${mount}/length`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/octet-stream' },
    body: new Uint8Array(2_000_000),
  })
  expect(await upload.text()).toBe('2000000')

  // The first part arrives while the application waits; leaving then is no error.
  const leaving = new AbortController()
  const stream = await fetch(`${origin}${mount}/stream`, { headers, signal: leaving.signal })
  const { value } = await stream.body!.getReader().read()
  expect(new TextDecoder().decode(value)).toBe('first\n')
  leaving.abort()

  expect((await get('/nowhere')).status).toBe(404)
}

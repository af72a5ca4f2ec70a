import type { APIRoute } from 'astro'
import { pythonApp, toFetchHandler } from 'monoceros'

const shop = toFetchHandler(pythonApp('shop:app', { reload: import.meta.env.DEV }), {
  scriptName: '/shop',
})

export const prerender = false
export const ALL: APIRoute = ({ request }) => shop(request)

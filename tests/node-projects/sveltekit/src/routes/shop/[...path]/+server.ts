import { pythonApp, toFetchHandler } from 'monoceros'

const shop = toFetchHandler(pythonApp('shop:app', { reload: import.meta.env.DEV }), {
  scriptName: '/shop',
})

export const trailingSlash = 'ignore'
export const fallback = ({ request }: { request: Request }) => shop(request)

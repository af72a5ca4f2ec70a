import { pythonApp, toNodeHandler } from 'monoceros'

const shop = pythonApp('shop:app', { reload: import.meta.dev })

export default fromNodeMiddleware(toNodeHandler(shop, { scriptName: '/shop' }))

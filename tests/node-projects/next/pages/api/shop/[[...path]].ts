import { toNodeHandler } from 'monoceros'
import { shop } from '../../../lib/shop'

export const config = { api: { bodyParser: false, externalResolver: true } }

export default toNodeHandler(shop, { scriptName: '/api/shop' })

import { toFetchHandler } from 'monoceros'
import { shop } from '../../../lib/shop'

const handler = toFetchHandler(shop, { scriptName: '/shop' })

export {
  handler as DELETE,
  handler as GET,
  handler as HEAD,
  handler as OPTIONS,
  handler as PATCH,
  handler as POST,
  handler as PUT,
}

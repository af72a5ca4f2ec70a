import { toFetchHandler } from 'monoceros'
import { notes } from '../../../lib/notes'

const handler = toFetchHandler(notes, { scriptName: '/api' })

export {
  handler as DELETE,
  handler as GET,
  handler as HEAD,
  handler as OPTIONS,
  handler as PATCH,
  handler as POST,
  handler as PUT,
}

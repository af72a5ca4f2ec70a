import {
  compose,
  dispatcher,
  errorHandler,
  fromFetchHandler,
  pythonApp,
  requestId,
  staticFiles,
} from 'monoceros'
import { postage } from './postage.ts'

/** The pages: files, which answer whatever the others do not. */
const pages = staticFiles({
  root: `${import.meta.dirname}/public`,
  headers: () => [['Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'"]],
})()

const shop = pythonApp('shop:app', { threads: 4 })
const office = pythonApp('office:application', { threads: 2 })

/** One tree of four applications, and around it what all of them have. */
export const app = compose(
  requestId(),
  errorHandler(),
)(
  dispatcher(pages, {
    '/shop': shop,
    '/office': office,
    '/api': fromFetchHandler((request) => postage.fetch(request)),
  }),
)

/** For tests; the server starts Python with the first request, and closes it by itself. */
export const ready = () => Promise.all([shop.ready(), office.ready()])
export const close = () => Promise.all([shop.close(), office.close()])

/**
 * A Python application as a value in JavaScript: mounted by a dispatcher, wrapped in middleware.
 * What that costs.
 */
import { compose, dispatcher, errorHandler, pythonApp, requestId } from 'monoceros'

/** @param {string} name MODULE:NAME @param {string} python @param {number} workers */
export function create(name, python, workers) {
  const app = pythonApp(name, { python, workers, chdir: import.meta.dirname })
  return compose(requestId(), errorHandler())(dispatcher(app, { '/other': app }))
}

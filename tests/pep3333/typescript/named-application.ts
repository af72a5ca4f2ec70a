import { factory } from './callables.ts'

/** A module with both of the names that a server may look for. */
export const application = factory('application')
export const app = factory('the wrong one')

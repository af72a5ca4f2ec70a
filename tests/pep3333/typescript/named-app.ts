import { factory } from './callables.ts'

/** A module whose application is called app. */
export const app = factory('app')

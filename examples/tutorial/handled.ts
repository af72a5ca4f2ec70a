import { errorHandler } from 'monoceros'
import { app as fragile } from './fragile.ts'

export const app = errorHandler()(fragile)

import { fileURLToPath } from 'node:url'
import { sourcePages } from '../build/sources.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export default { paths: () => sourcePages(root) }

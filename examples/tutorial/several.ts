import { dispatcher, pythonApp } from 'monoceros'
import { app as hello } from './hello.ts'
import { app as where } from './where.ts'

export const app = dispatcher(where, {
  '/hello': hello,
  '/docs': where,
  '/docs/api': where,
  '/python': pythonApp('where:app', { chdir: import.meta.dirname }),
})

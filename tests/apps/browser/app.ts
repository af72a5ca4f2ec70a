import { dispatcher, pythonApp, staticFiles } from 'monoceros'

const frontEnd = staticFiles({ root: 'dist', immutable: /^\/assets\// })()

export const app = dispatcher(frontEnd, {
  '/py': pythonApp('guestbook:app', { chdir: 'python', workers: 2 }),
})

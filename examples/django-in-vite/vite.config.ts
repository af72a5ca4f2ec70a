import { monoceros } from 'monoceros/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [
    monoceros({
      app: 'backend.wsgi:application',
      mount: '/backend',
      pythonpath: 'backend',
      // Django's pages for errors, its files without `collectstatic`, and cookies without HTTPS.
      env: { DJANGO_DEBUG: '1' },
    }),
  ],
})

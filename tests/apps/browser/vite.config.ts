import { monoceros } from 'monoceros/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [monoceros({ app: 'guestbook:app', mount: '/py', chdir: 'python' })],
})

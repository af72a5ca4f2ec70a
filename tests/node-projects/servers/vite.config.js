import { monoceros } from 'monoceros/vite'

export default {
  plugins: [
    monoceros([
      { app: 'shop:app', mount: '/py', threads: 8 },
      { app: './site.js:app', mount: '/ts' },
    ]),
  ],
}

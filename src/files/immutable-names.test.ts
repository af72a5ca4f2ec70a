import { expect, test } from 'vitest'
import { hasHashedName } from './immutable-names.ts'

test.each([
  // Django's ManifestStaticFilesStorage.
  '/css/app.55e7cbb9ba48.css',
  '/admin/js/jquery.init.b7781a0897fc.js',
  '/fonts/Roboto-Bold-webfont.50d75e48e0a3.woff',
  // Vite, Rollup.
  '/assets/index-B4x9kZ2q.js',
  '/assets/index-DiwrgTda.css',
  '/assets/logo-CDH4_-4x.svg',
  '/assets/index-BVw0x_ef.js.map',
  '/assets/pages/home-Cq_0LwSI.js',
  // webpack, Create React App.
  '/static/js/main.8e0d62a0.js',
  '/static/js/2.8a1f9c3b.chunk.js',
  '/main.3f2a1b4c5d6e7f809a1b.js',
  '/9a8b7c6d5e4f3a2b1c0d.png',
  '/vendors-55e7cbb9ba48.css',
  // Parcel.
  '/index.5f0796b1.js',
  '/logo.a1b2c3d4.svg',
  // esbuild.
  '/assets/app-4XN2QZTW.js',
])('%s has a hash', (path) => {
  const bare = path === '/9a8b7c6d5e4f3a2b1c0d.png'
  // A name that is nothing but a hash might be the id of an upload.
  expect(hasHashedName(path)).toBe(!bare)
})

test.each([
  '/app.js',
  '/jquery-3.7.1.min.js',
  '/app-settings.js',
  '/assets/app-settings.js',
  '/assets/app-Settings.js',
  '/assets/APP-SETTINGS.js',
  '/assets/my-my-theme.js',
  '/report-20240203.pdf',
  '/report.20240203.pdf',
  '/assets/report-20240203.pdf',
  '/photos/IMG_20240203.jpg',
  '/bootstrap.bundle.min.js',
  '/deadbeef.js',
  '/a.deadbeef.js',
  '/index-B4x9kZ2q.js',
  '/assets/B4x9kZ2q',
  '/assets.B4x9kZ2q/app.js',
  '/55e7cbb9ba48/app.css',
  '/',
])('%s has none', (path) => {
  expect(hasHashedName(path)).toBe(false)
})

import { compose, dispatcher, errorHandler, pythonApp, type WSGIApplication } from 'monoceros'
import { login } from './login.ts'

const home: WSGIApplication = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/html; charset=utf-8']])
  // A name has letters, digits and _ . @ - only: add-user.js.
  return [
    new TextEncoder().encode(`<!doctype html>
<title>Home</title>
<h1>Hello ${environ.REMOTE_USER}</h1>
<p><a href="/flask/">Flask</a> knows you, too.</p>
<form method="post" action="/logout"><button type="submit">Log out</button></form>
`),
  ]
}

/** One login for applications in both languages: Flask finds the name in REMOTE_USER, too. */
export const app = compose(
  errorHandler(),
  login({ secret: process.env.SESSION_SECRET ?? '', users: 'users.json' }),
)(dispatcher(home, { '/flask': pythonApp('hello:app') }))

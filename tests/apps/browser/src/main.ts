import { greeting } from './greeting.ts'

function show(id: string, text: string): void {
  document.getElementById(id)!.textContent = text
}

show('greeting', greeting)

// The same origin and the same path in development and in production.
const response = await fetch('/py/api/visitor')
const visitor: { name: string | null } = await response.json()
show('flask', visitor.name === null ? 'nobody has signed' : `${visitor.name} has signed`)

import.meta.hot?.accept('./greeting.ts', (module) => show('greeting', module?.greeting))

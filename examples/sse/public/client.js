const status = document.querySelector('#status')
const messages = document.querySelector('#messages')
const form = document.querySelector('#form')

// After a broken connection, the browser connects again by itself, and gets what it has missed.
function listen() {
  messages.replaceChildren()
  const source = new EventSource('/events')
  source.onopen = () => {
    status.textContent = 'Connected'
  }
  source.onerror = () => {
    status.textContent = 'Connecting …'
    // Refused, with 503 or 429: then it gives up.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000)
  }
  source.onmessage = ({ data }) => {
    const item = document.createElement('li')
    // As text: what somebody writes is no HTML.
    item.textContent = JSON.parse(data).text
    messages.append(item)
  }
}

listen()

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const body = JSON.stringify({ text: new FormData(form).get('text') })
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch('/messages', { method: 'POST', headers, body })
  if (response.ok) form.reset()
  else status.textContent = `The message was not sent: ${await response.text()}`
})

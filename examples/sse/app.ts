import {
  abortSignal,
  bodyLimit,
  compose,
  dispatcher,
  errorHandler,
  methods,
  staticFiles,
  type WSGIApplication,
} from 'monoceros'
import { Feed, type Message } from './feed.ts'

/** Each is a connection, and a generator that waits. */
const MOST_LISTENERS = 1000
const encoder = new TextEncoder()

/** The application: the page at /, its events at /events, new messages at /messages. */
export function create(feed = new Feed()): WSGIApplication {
  const page = staticFiles({
    root: `${import.meta.dirname}/public`,
    headers: () => [['Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'"]],
  })()
  return compose(
    errorHandler(),
    bodyLimit({ maxBytes: 4096 }),
  )(
    dispatcher(page, {
      '/events': methods({ GET: events(feed) }),
      '/messages': methods({ POST: publish(feed) }),
    }),
  )
}

function events(feed: Feed): WSGIApplication {
  return (environ, startResponse) => {
    if (feed.listeners >= MOST_LISTENERS) {
      startResponse('503 Service Unavailable', [['Retry-After', '10']])
      return []
    }
    startResponse('200 OK', [
      ['Content-Type', 'text/event-stream'],
      ['Cache-Control', 'no-store'],
      // For nginx, which would collect them.
      ['X-Accel-Buffering', 'no'],
    ])
    // A browser that was cut off connects again, and says what it has seen.
    const last = Number.parseInt(environ.HTTP_LAST_EVENT_ID ?? '0', 10) || 0
    return lines(feed.after(last, abortSignal(environ)))
  }
}

async function* lines(messages: AsyncIterable<Message | null>) {
  yield encoder.encode('retry: 1000\n\n')
  for await (const message of messages) {
    // JSON has no line feed, so a message cannot end the event.
    yield encoder.encode(
      message === null
        ? ': still here\n\n'
        : `id: ${message.id}\ndata: ${JSON.stringify(message)}\n\n`,
    )
  }
}

function publish(feed: Feed): WSGIApplication {
  return async (environ, startResponse) => {
    // Forms of other sites cannot send this type, and their scripts must ask first.
    if (environ.CONTENT_TYPE?.split(';')[0] !== 'application/json') {
      startResponse('415 Unsupported Media Type', [])
      return []
    }
    const text = textOf(new TextDecoder().decode(await environ['wsgi.input'].read()))
    if (text === undefined) {
      startResponse('422 Unprocessable Content', [['Content-Type', 'text/plain']])
      return [encoder.encode('Send {"text": "…"} with 1 to 500 characters.\n')]
    }
    startResponse('201 Created', [['Content-Type', 'application/json']])
    return [encoder.encode(JSON.stringify(feed.publish(text)))]
  }
}

function textOf(body: string): string | undefined {
  try {
    const text = JSON.parse(body)?.text
    if (typeof text === 'string' && text.trim() !== '' && text.length <= 500) return text
  } catch {
    // No JSON.
  }
  return undefined
}

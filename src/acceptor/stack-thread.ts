/**
 * A thread beside a TypeScript application: it sends the stack of the main thread when the arbiter
 * asks, also while the application blocks the event loop. It uses Node's inspector within the
 * process and opens no port. Until it is asked, it sleeps.
 */
import { type Debugger, Session } from 'node:inspector'
import { Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import type { StackAnswer, StackThreadData } from './stack-answer.ts'

/** How long the main thread may take to answer before it counts as blocked, and to pause; in ms. */
const BEAT_MS = 250
const PAUSE_MS = 2500

const { fd, own } = workerData as StackThreadData
const main = parentPort!
const arbiter = new Socket({ fd, readable: true, writable: true })
let asked: Promise<unknown> = Promise.resolve()

arbiter.on('data', () => {
  asked = asked.then(answer)
})
// The arbiter is gone; the main thread notices that too.
arbiter.on('error', () => {})

async function answer(): Promise<void> {
  const result = (await beat()) ?? (await stack())
  arbiter.write(`${JSON.stringify(result)}\n`)
}

/** The answer of the main thread; null if its event loop is blocked. */
function beat(): Promise<StackAnswer | null> {
  return new Promise((resolve) => {
    const heard = (doing: string) => {
      clearTimeout(timer)
      resolve({ kind: 'free', doing })
    }
    const timer = setTimeout(() => {
      main.off('message', heard)
      resolve(null)
    }, BEAT_MS)
    main.once('message', heard)
    main.postMessage(null)
  })
}

/** Pauses the main thread for a moment to read its stack. */
function stack(): Promise<StackAnswer> {
  return new Promise((resolve) => {
    const session = new Session()
    const urls = new Map<string, string>()
    const end = (result: StackAnswer) => {
      clearTimeout(timer)
      // This also resumes the main thread.
      session.disconnect()
      resolve(result)
    }
    const timer = setTimeout(() => end({ kind: 'unknown' }), PAUSE_MS)
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url))
    session.once('Debugger.paused', ({ params }) =>
      end({ kind: 'stack', frames: show(params.callFrames, urls) }),
    )
    session.connectToMainThread()
    session.post('Debugger.enable')
    session.post('Debugger.pause')
  })
}

/** In the form of V8; Node's and Monoceros's frames only if the application has none. */
function show(frames: readonly Debugger.CallFrame[], urls: ReadonlyMap<string, string>): string[] {
  const placed = frames.map(({ functionName, location }) => {
    const url = urls.get(location.scriptId) ?? ''
    const column = (location.columnNumber ?? 0) + 1
    const place = `${url || '<anonymous>'}:${location.lineNumber + 1}:${column}`
    return { url, line: functionName === '' ? `at ${place}` : `at ${functionName} (${place})` }
  })
  const around = (url: string) =>
    url.startsWith('node:') || url.startsWith(own) || url.endsWith('/dist/jiti.cjs')
  const application = placed.filter(({ url }) => !around(url))
  return (application.length > 0 ? application : placed).map(({ line }) => line)
}

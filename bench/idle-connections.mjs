/**
 * Connections that ask once and then stay open, as those of browsers do.
 */
import { connect } from 'node:net'

/** Opening more at once would be a test of the listen queue. */
const AT_ONCE = 64
/** Whoever does not answer in this time would not answer the rest either: no more are opened. */
const ANSWER_SECONDS = 5

/**
 * Opens them one after another, some at a time, and resolves when each has had its answer.
 *
 * @param {string} origin `http://127.0.0.1:PORT`
 * @param {string} path
 * @param {number} count
 * @param {AbortSignal} signal
 * @returns {Promise<{open: () => number, close: () => void}>} How many the server has not closed,
 * and what closes them.
 */
export async function holdIdle(origin, path, count, signal) {
  const { hostname, port } = new URL(origin)
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set()
  const close = () => {
    for (const socket of sockets) socket.resetAndDestroy()
    sockets.clear()
  }
  let left = count
  const open = async () => {
    const socket = connect({ host: hostname, port: Number(port) })
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // An error closes it, and is counted by that.
    socket.on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
    await new Promise((resolve) => {
      const timer = setTimeout(() => {
        left = 0
        socket.destroy()
      }, ANSWER_SECONDS * 1000)
      const done = () => {
        clearTimeout(timer)
        resolve(undefined)
      }
      socket.once('data', done).once('close', done)
    })
  }
  const lane = async () => {
    while (left > 0 && !signal.aborted) {
      left--
      await open()
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, lane))
  if (signal.aborted) close()
  signal.throwIfAborted()
  return { open: () => sockets.size, close }
}

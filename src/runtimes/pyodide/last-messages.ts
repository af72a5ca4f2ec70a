import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'

/**
 * Takes what a thread sent to a port of its own before it ended. Called when the thread's `exit` is
 * heard: Node.js may tell that first, if this process was busy while the thread ended.
 */
export function takeLastMessages<T>(port: MessagePort, take: (message: T) => void): void {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: T } | undefined
    if (received === undefined) return
    take(received.message)
  }
}

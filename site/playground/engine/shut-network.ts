const NAMES = [
  'fetch',
  'XMLHttpRequest',
  'WebSocket',
  'WebSocketStream',
  'WebTransport',
  'EventSource',
  'importScripts',
  'Worker',
  'BroadcastChannel',
  'indexedDB',
  'caches',
]

/**
 * Takes from this worker what reaches the network, or what the site keeps in the browser: code from
 * a shared link is somebody else's. The Content-Security-Policy of the site forbids other hosts as
 * well, but a worker has it only from a server that sends it.
 */
export function shutNetwork(): void {
  for (
    let holder: object | null = globalThis;
    holder !== null;
    holder = Object.getPrototypeOf(holder) as object | null
  ) {
    for (const name of NAMES) Reflect.deleteProperty(holder, name)
  }
}

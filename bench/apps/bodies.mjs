/** What the servers on Node.js answer: the same as plain.py. */
export const BODIES = /** @type {Record<string, Buffer>} */ ({
  '/hello': Buffer.from('Hello, world!\n'),
  '/10k': Buffer.from('0123456789abcde\n'.repeat(640)),
  // With a lifetime, for caches.
  '/cached': Buffer.from('0123456789abcde\n'.repeat(640)),
  '/1m': Buffer.from('0123456789abcde\n'.repeat(65536)),
})

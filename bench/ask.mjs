/**
 * One request over a connection of its own, to a server whose certificate may sign itself.
 *
 * @param {string} url
 * @param {{method?: string, body?: string, timeout: number}} options Milliseconds.
 * @returns {Promise<{status: number, body: string}>}
 */
export async function ask(url, { method = 'GET', body, timeout }) {
  const { request } = await import(url.startsWith('https:') ? 'node:https' : 'node:http')
  return await new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method,
        headers: { connection: 'close' },
        rejectUnauthorized: false,
        agent: false,
        signal: AbortSignal.timeout(timeout),
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        response.on('error', reject)
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

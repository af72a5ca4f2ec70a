// How long it takes to parse a request head. Run after `npm run build`: node bench/request-head.mjs

const dist = new URL('../dist/http/', import.meta.url)
const { DEFAULT_HEAD_LIMITS } = await import(new URL('limits.js', dist))
const { RequestHeadParser } = await import(new URL('request-head.js', dist))

const HEADS = {
  'curl-like, 4 fields': [
    'GET /hello?name=world HTTP/1.1',
    'Host: 127.0.0.1:8000',
    'User-Agent: curl/7.88.1',
    'Accept: */*',
    'X-Request-Id: 7f9c24e8',
  ],
  'browser-like, 20 fields': [
    'GET /articles/2026/11/a-page-with-a-usual-path/?page=2&sort=newest HTTP/1.1',
    'Host: www.example.org',
    'Connection: keep-alive',
    'Cache-Control: max-age=0',
    'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"',
    'sec-ch-ua-mobile: ?0',
    'sec-ch-ua-platform: "Linux"',
    'DNT: 1',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) ' +
      'Chrome/142.0.0.0 Safari/537.36',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Mode: navigate',
    'Sec-Fetch-User: ?1',
    'Sec-Fetch-Dest: document',
    'Referer: https://www.example.org/articles/2026/11/',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
    'Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345; ' +
      'csrftoken=0123456789abcdefghijklmnopqrstuv; theme=dark',
    'If-None-Match: W/"5f2c-18c3a7d9e40"',
    'X-Custom-Client: 4.2.1',
  ],
}

/**
 * Nanoseconds of processor time for one head, the best of several rounds: the others measure what
 * else the machine did.
 */
function measure(parse) {
  for (let i = 0; i < 200_000; i++) parse()
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 15; round++) {
    const times = 100_000
    const before = process.cpuUsage()
    for (let i = 0; i < times; i++) parse()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1000) / times)
  }
  return best
}

for (const [name, lines] of Object.entries(HEADS)) {
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
  const parser = new RequestHeadParser(DEFAULT_HEAD_LIMITS)
  const whole = measure(() => {
    parser.feed(bytes, 0, bytes.length)
    if (!parser.complete) throw new Error('the head is not complete')
    parser.reset()
  })
  const middle = bytes.length >> 1
  const split = measure(() => {
    parser.feed(bytes, 0, middle)
    parser.feed(bytes, middle, bytes.length)
    if (!parser.complete) throw new Error('the head is not complete')
    parser.reset()
  })
  console.log(
    `${name} (${bytes.length} bytes): ${whole.toFixed(0)} ns in one piece, ` +
      `${split.toFixed(0)} ns in two`,
  )
}
console.log(`node ${process.version}`)

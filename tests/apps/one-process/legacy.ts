import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import express, { type Request } from 'express'
import { exportBlock, note, page, told } from './happenings.ts'

/**
 * What was there before, in Express 5; app.ts mounts it at /legacy. Nothing in here knows where it
 * is mounted: links go by `req.baseUrl`.
 */
export const legacy = express()

legacy.get('/', (req, res) => {
  const facts = `${req.protocol}://${req.get('Host')}${req.baseUrl}/facts`
  res.send(page('Express', `${req.baseUrl}/form`, facts))
})

legacy.get('/facts', (req, res) => {
  res.json({
    application: 'Express',
    mount: req.baseUrl,
    path: req.path,
    query: req.query.name ?? null,
    requestId: req.get('X-Request-ID'),
    pid: process.pid,
  })
})

legacy.get('/form', (_req, res) => {
  res.send('<form method="post"><input name="name"></form>')
})

legacy.post('/form', express.urlencoded({ extended: false }), (req, res) => {
  res.cookie('name', req.body.name, { path: req.baseUrl, httpOnly: true })
  res.redirect(303, `${req.baseUrl}/greeting`)
})

legacy.get('/greeting', (req, res) => {
  const cookie = /(?:^|; )name=([^;]*)/.exec(req.get('Cookie') ?? '')?.[1]
  res.type('text/plain').send(`Express greets ${decodeURIComponent(cookie ?? 'nobody')}`)
})

/** Multipart needs a package of its own; what gets the raw body does not. */
legacy.post('/upload', express.raw({ type: () => true, limit: '8mb' }), (req, res) => {
  const body = req.body as Buffer
  res.json({
    filename: null,
    size: body.length,
    sha256: createHash('sha256').update(body).digest('hex'),
  })
})

legacy.get('/boom', (_req, _res) => {
  throw new Error('boom in Express')
})

legacy.get('/boom-later', async (_req, res) => {
  res.type('application/octet-stream').write(Buffer.alloc(100_000, 'x'))
  throw new Error('late boom in Express')
})

legacy.get('/stream', async (req, res) => {
  const { key, type } = req.query as Record<string, string>
  res.type(type!).write('data: one\n\n')
  await told(key!)
  res.end('data: two\n\n')
})

legacy.get('/endless', (req, res) => {
  res.type('text/event-stream')
  const timer = setInterval(() => res.write('data: again\n\n'), 10)
  res.on('close', () => {
    clearInterval(timer)
    note(`closed ${req.query.key}`)
  })
})

legacy.post('/echo', async (req, res) => {
  res.type('application/octet-stream')
  await pipeline(req, res)
})

legacy.get('/export', async (req, res) => {
  await pipeline(Readable.from(exported(req)), res.type('text/csv'))
})

function* exported(req: Request): Generator<Buffer> {
  for (let left = Number(req.query.size); left > 0; left -= exportBlock.length)
    yield exportBlock.subarray(0, left)
}

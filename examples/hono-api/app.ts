import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import { etag } from 'hono/etag'
import { HTTPException } from 'hono/http-exception'
import {
  compose,
  dispatcher,
  errorHandler,
  fromFetchHandler,
  requestId,
  type WSGIApplication,
} from 'monoceros'
import { z } from 'zod'
import { TaskStore } from './store.ts'

const NewTask = z.strictObject({ title: z.string().trim().min(1).max(200) })
const Change = NewTask.extend({ done: z.boolean() }).partial()

/** The routes, as in any program with Hono; they know nothing of WSGI. */
function routes(store: TaskStore, token: string): Hono {
  const api = new Hono()
  api.use(bearerAuth({ token }))
  api.get('/tasks', etag(), (c) => c.json(store.all()))
  api.post('/tasks', zValidator('json', NewTask), async (c) => {
    const task = await store.add(c.req.valid('json').title)
    return c.json(task, 201, { Location: `/api/tasks/${task.id}` })
  })
  api.patch('/tasks/:id', zValidator('json', Change), async (c) => {
    const task = await store.change(c.req.param('id'), c.req.valid('json'))
    return task === undefined ? c.notFound() : c.json(task)
  })
  api.delete('/tasks/:id', async (c) => {
    return (await store.remove(c.req.param('id'))) ? c.body(null, 204) : c.notFound()
  })
  api.notFound((c) => c.json({ error: 'Not found' }, 404))
  api.onError((error) => {
    // An answer, such as 401. Anything else is for errorHandler, which logs it.
    if (error instanceof HTTPException) return error.getResponse()
    throw error
  })
  return api
}

/**
 * The application that is served: Hono at /api, inside of middleware for all that is mounted.
 *
 * @param file where the tasks are kept
 * @param token what clients send as `Authorization: Bearer TOKEN`
 */
export async function create(
  file: string,
  token: string = process.env.API_TOKEN ?? '',
): Promise<WSGIApplication> {
  if (token === '') throw new Error('Set API_TOKEN to a long random text: see README.md')
  const api = routes(await TaskStore.open(file), token)
  return compose(
    requestId(),
    errorHandler(),
  )(dispatcher({ '/api': fromFetchHandler((request) => api.fetch(request)) }))
}

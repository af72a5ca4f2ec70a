import { afterEach, expect, test, vi } from 'vitest'
import { addTask, allTasks } from './api.ts'

const fetched = vi.fn<typeof fetch>()
vi.stubGlobal('fetch', fetched)
afterEach(() => fetched.mockReset())

const task = { id: 1, title: 'Learn WSGI', done: false }

test('the tasks are those of Django', async () => {
  fetched.mockResolvedValue(Response.json({ tasks: [task] }))
  expect(await allTasks()).toEqual([task])
})

test("a task is sent with Django's token", async () => {
  fetched.mockResolvedValue(Response.json(task, { status: 201 }))
  expect(await addTask('Learn WSGI', 'a=1; csrftoken=abc')).toEqual(task)
  const [url, options] = fetched.mock.calls[0]!
  expect(url).toBe('/backend/api/tasks/')
  expect(options?.headers).toMatchObject({ 'X-CSRFToken': 'abc' })
})

test('what Django refuses is an error with its words', async () => {
  fetched.mockResolvedValue(Response.json({ error: 'Too long.' }, { status: 422 }))
  await expect(addTask('x', '')).rejects.toThrow('Too long.')
  fetched.mockResolvedValue(new Response('<h1>Error</h1>', { status: 500 }))
  await expect(addTask('x', '')).rejects.toThrow('The server answered 500.')
})

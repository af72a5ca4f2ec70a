export interface Task {
  readonly id: number
  readonly title: string
  readonly done: boolean
}

const TASKS = '/backend/api/tasks/'

export async function allTasks(): Promise<Task[]> {
  return (await answerOf<{ tasks: Task[] }>(await fetch(TASKS))).tasks
}

export async function addTask(title: string, cookies = document.cookie): Promise<Task> {
  return await send('POST', TASKS, { title }, cookies)
}

export async function setDone(id: number, done: boolean, cookies = document.cookie): Promise<Task> {
  return await send('PATCH', `${TASKS}${id}/`, { done }, cookies)
}

/** With the token that Django has set as a cookie: a page of another site cannot read it. */
async function send(method: string, url: string, body: object, cookies: string): Promise<Task> {
  const token = /(?:^|; )csrftoken=(\w+)/.exec(cookies)?.[1] ?? ''
  const headers = { 'Content-Type': 'application/json', 'X-CSRFToken': token }
  return await answerOf(await fetch(url, { method, headers, body: JSON.stringify(body) }))
}

async function answerOf<T>(response: Response): Promise<T> {
  if (response.headers.get('Content-Type') !== 'application/json')
    throw new Error(`The server answered ${response.status}.`)
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error)
  return answer
}

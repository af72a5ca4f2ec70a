import { addTask, allTasks, setDone, type Task } from './api.ts'

const form = document.querySelector<HTMLFormElement>('#form')!
const fields = document.querySelector<HTMLFieldSetElement>('#fields')!
const list = document.querySelector<HTMLUListElement>('#tasks')!
const problem = document.querySelector<HTMLParagraphElement>('#problem')!

/** Does something, and shows why it failed. */
async function attempt(action: () => Promise<void>): Promise<void> {
  try {
    problem.textContent = ''
    await action()
  } catch (error) {
    problem.textContent = String(error instanceof Error ? error.message : error)
  }
}

function show(task: Task): HTMLLIElement {
  const box = Object.assign(document.createElement('input'), { type: 'checkbox' })
  box.checked = task.done
  box.addEventListener('change', () =>
    attempt(async () => {
      await setDone(task.id, box.checked)
    }),
  )
  const label = document.createElement('label')
  // As text: what somebody writes is no HTML.
  label.append(box, ` ${task.title}`)
  const item = document.createElement('li')
  item.append(label)
  return item
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  void attempt(async () => {
    list.prepend(show(await addTask(String(new FormData(form).get('title')))))
    form.reset()
  })
})

void attempt(async () => {
  list.replaceChildren(...(await allTasks()).map(show))
  // Now there is a token to send with a task.
  fields.disabled = false
})

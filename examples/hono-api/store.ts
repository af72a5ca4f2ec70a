import { randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'

export interface Task {
  readonly id: string
  readonly title: string
  readonly done: boolean
}

/** Tasks in a JSON file, for one process. A method resolves when the change is on the disk. */
export class TaskStore {
  readonly #file: string
  readonly #tasks: Map<string, Task>
  #saved: Promise<void> = Promise.resolve()

  private constructor(file: string, tasks: readonly Task[]) {
    this.#file = file
    this.#tasks = new Map(tasks.map((task) => [task.id, task]))
  }

  static async open(file: string): Promise<TaskStore> {
    try {
      return new TaskStore(file, JSON.parse(await readFile(file, 'utf8')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      return new TaskStore(file, [])
    }
  }

  all(): Task[] {
    return [...this.#tasks.values()]
  }

  async add(title: string): Promise<Task> {
    const task = { id: randomUUID(), title, done: false }
    this.#tasks.set(task.id, task)
    await this.#save()
    return task
  }

  async change(id: string, changes: Partial<Omit<Task, 'id'>>): Promise<Task | undefined> {
    const task = this.#tasks.get(id)
    if (task === undefined) return undefined
    const changed = { ...task, ...changes }
    this.#tasks.set(id, changed)
    await this.#save()
    return changed
  }

  async remove(id: string): Promise<boolean> {
    if (!this.#tasks.delete(id)) return false
    await this.#save()
    return true
  }

  /** One after another, and by renaming: the file is never half written. */
  #save(): Promise<void> {
    const write = async () => {
      await writeFile(`${this.#file}.new`, JSON.stringify(this.all()))
      await rename(`${this.#file}.new`, this.#file)
    }
    this.#saved = this.#saved.then(write, write)
    return this.#saved
  }
}

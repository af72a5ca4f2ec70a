import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { temporaryDirectory } from './applications.ts'

/** An application in a folder of its own, which a test edits while it is served. */
export class EditedProject {
  readonly path: string
  readonly remove: () => void

  /** @param files their content, by their path in the folder */
  constructor(files: Readonly<Record<string, string>>) {
    const { path, remove } = temporaryDirectory()
    this.path = path
    this.remove = remove
    for (const [name, content] of Object.entries(files)) this.write(name, content)
  }

  write(name: string, content: string): void {
    const path = join(this.path, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
  }

  /** Replaces a text, which the file must have. */
  edit(name: string, from: string, to: string): void {
    this.write(name, this.#edited(name, from, to))
  }

  /** Replaces a text as `edit` does, but no reader ever meets half of the file. */
  editAtOnce(name: string, from: string, to: string): void {
    const { path, remove } = temporaryDirectory()
    const next = join(path, 'next')
    writeFileSync(next, this.#edited(name, from, to))
    renameSync(next, join(this.path, name))
    remove()
  }

  rename(from: string, to: string): void {
    renameSync(join(this.path, from), join(this.path, to))
  }

  delete(name: string): void {
    rmSync(join(this.path, name), { recursive: true })
  }

  #edited(name: string, from: string, to: string): string {
    const before = readFileSync(join(this.path, name), 'utf8')
    if (!before.includes(from)) throw new Error(`${name} does not have ${JSON.stringify(from)}`)
    return before.replace(from, to)
  }
}

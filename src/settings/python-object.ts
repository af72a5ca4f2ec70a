/**
 * A value of a Python config file that JSON does not have, by its description: a function, a class
 * or another object.
 */
export class PythonObject {
  readonly kind: 'function' | 'class' | 'object'
  /** The name of a function or class, such as `package.Name`; else `a Widget`. */
  readonly text: string

  constructor(kind: PythonObject['kind'], text: string) {
    this.kind = kind
    this.text = text
  }

  /** For messages. */
  toJSON(): string {
    return this.kind === 'object' ? this.text : `<${this.kind} ${this.text}>`
  }
}

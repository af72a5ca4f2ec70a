import type { FieldName } from '../field-names.ts'

/**
 * A field line of a head, as offsets into the head's bytes. A parser has one and uses it again
 * for each field that needs a closer look.
 */
export class FieldLine {
  name: FieldName
  /** Where the line, and its name, begin. */
  start = 0
  nameEnd = 0
  /** The value, without white space around it. */
  valueStart = 0
  valueEnd = 0
  /** The CR: between it and `valueEnd` there is white space. */
  end = 0

  constructor(name: FieldName) {
    this.name = name
  }
}

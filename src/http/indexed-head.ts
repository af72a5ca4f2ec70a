import type { FieldName } from './field-names.ts'

/** The parts of a head that are found by their offsets, in every version of HTTP. */
export abstract class IndexedHead {
  abstract readonly bytes: Buffer
  abstract readonly targetStart: number
  abstract readonly targetEnd: number
  abstract readonly fieldCount: number
  abstract readonly fields: readonly number[]
  abstract readonly names: readonly FieldName[]

  get target(): string {
    return this.bytes.toString('latin1', this.targetStart, this.targetEnd)
  }

  value(index: number): string {
    return this.bytes.toString('latin1', this.fields[index * 4 + 2]!, this.fields[index * 4 + 3]!)
  }

  get(lowerName: string): string | undefined {
    let joined: string | undefined
    for (let index = 0; index < this.fieldCount; index++) {
      if (this.names[index]!.lower !== lowerName) continue
      joined = joined === undefined ? this.value(index) : `${joined}, ${this.value(index)}`
    }
    return joined
  }
}

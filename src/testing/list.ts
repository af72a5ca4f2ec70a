/** Array.isArray for readonly arrays, which it leaves as they are in what is not one. */
export function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value)
}

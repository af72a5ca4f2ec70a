/** `Array.isArray` for readonly arrays, whose types the built-in function does not narrow. */
export function isList<T>(value: T): value is Extract<T, readonly unknown[]> {
  return Array.isArray(value)
}

/**
 * What a change of files has led to:
 *
 * - `reloaded`: the application was loaded again, and its new workers answer
 * - `failed`: it could not be; requests get the `error` until the next change
 * - `refreshed`: a static file has changed, which needs no reload
 */
export type PythonReloadEvent =
  | {
      readonly kind: 'reloaded' | 'refreshed'
      /** Absolute paths. */
      readonly files: readonly string[]
    }
  | { readonly kind: 'failed'; readonly files: readonly string[]; readonly error: Error }

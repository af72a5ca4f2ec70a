/** What is wrong with an option: its type, or its value. */
type Kind = typeof TypeError | typeof RangeError

/**
 * An error for an option that a middleware cannot work with. It is thrown at set-up, and its `code`
 * is `bad-option`.
 */
export type OptionError = (TypeError | RangeError) & { readonly code: 'bad-option' }

/**
 * Makes an {@link OptionError}.
 *
 * @param message which option, which value, what to do
 * @example throw optionError(RangeError, `bodyLimit: maxBytes must be 0 or more, not ${maxBytes}`)
 */
export function optionError(kind: Kind, message: string): OptionError {
  return Object.assign(new kind(message), { code: 'bad-option' as const })
}

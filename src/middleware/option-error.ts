/** `TypeError` for a wrong type of an option, `RangeError` for a wrong value. */
type Kind = typeof TypeError | typeof RangeError

/** An option of a middleware is wrong. Thrown at set-up; its `code` is `bad-option`. */
export type OptionError = (TypeError | RangeError) & { readonly code: 'bad-option' }

/**
 * Makes an {@link OptionError}.
 *
 * @param message names the option, its value, and what to do
 * @example throw optionError(RangeError, `bodyLimit: maxBytes must be 0 or more, not ${maxBytes}`)
 */
export function optionError(kind: Kind, message: string): OptionError {
  return Object.assign(new kind(message), { code: 'bad-option' as const })
}

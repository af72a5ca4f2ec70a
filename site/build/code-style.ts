import { transformerStyleToClass } from '@shikijs/transformers'

/**
 * The colours of code as classes instead of a `style` at each word, which makes the pages half as
 * large.
 */
export const codeStyle = transformerStyleToClass({ classPrefix: 'c-' })

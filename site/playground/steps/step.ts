import { step1 } from './1-first-application.ts'
import { step2 } from './2-middleware.ts'
import { step3 } from './3-server.ts'
import { step4 } from './4-production.ts'
import { step5 } from './5-stack.ts'
import { step6 } from './6-several.ts'
import { step7 } from './7-methods.ts'
import { step8 } from './8-errors.ts'
import type { Step } from './types.ts'

export type { Check, Expected, Language, RequestText, Step } from './types.ts'

/** The eight steps of the tutorial, in their order. */
export const steps: readonly Step[] = [step1, step2, step3, step4, step5, step6, step7, step8]

/** @throws RangeError for a step that does not exist */
export function stepNumber(number: number): Step {
  const step = steps[number - 1]
  if (step === undefined) throw new RangeError(`The tutorial has no step ${number}`)
  return step
}

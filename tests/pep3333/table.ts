import type { PepCase } from './case.ts'
import { bodyLengthCases } from './cases/body-length.ts'
import { callableCases } from './cases/callables.ts'
import { earlyHintsCases } from './cases/early-hints.ts'
import { environCases } from './cases/environ.ts'
import { errorStreamCases } from './cases/error-stream.ts'
import { fileWrapperCases } from './cases/file-wrapper.ts'
import { inputStreamCases } from './cases/input-stream.ts'
import { iterableCases } from './cases/iterables.ts'
import { startResponseCases } from './cases/start-response.ts'
import { writeCases } from './cases/write.ts'

/** Every case, grouped by the file that holds its application. */
export const table: readonly PepCase[] = [
  ...callableCases,
  ...environCases,
  ...inputStreamCases,
  ...errorStreamCases,
  ...startResponseCases,
  ...writeCases,
  ...iterableCases,
  ...bodyLengthCases,
  ...fileWrapperCases,
  ...earlyHintsCases,
]

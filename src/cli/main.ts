#!/usr/bin/env node
/**
 * The executable. It only loads the program, so that there is one line if not even that can be
 * done: Node opens all of its modules at the same time.
 */
import { coded } from '../messages/coded.ts'
import { isShortOfDescriptors, tooFewDescriptors } from '../process/descriptor-limit.ts'
import { EXIT } from '../process/exit-status.ts'

// Later, there may be none left to find it out.
const tooFew = tooFewDescriptors()
const program = await import('./program.ts').catch((error: unknown) => {
  if (!isShortOfDescriptors(error)) throw error
  const text = coded('MONO4033', tooFew ?? (error as Error).message)
  process.stderr.write(`monoceros: ${text}\n`)
  process.exit(EXIT.server.FAILED)
})
await program.runProgram()

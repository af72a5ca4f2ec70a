#!/usr/bin/env node
/**
 * The program of this package, which prints where its modules are: `monoceros learn` runs it with
 * `npm exec`, which downloads the package.
 */
import { fileURLToPath } from 'node:url'

if (process.argv[2] === '--where') console.log(fileURLToPath(new URL('.', import.meta.url)))
else {
  console.error('The site is served by the command of another package: npx monoceros learn')
  process.exitCode = 2
}

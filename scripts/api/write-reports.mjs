/**
 * Writes the reports of what is public into the folder `api`. Run it as `npm run api`, which builds
 * first. A test fails when they differ from what the code has. An argument names another folder.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { apiReports } from './reports.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = process.argv[2] ?? join(root, 'api')

mkdirSync(folder, { recursive: true })
const reports = await apiReports(root)
for (const name of readdirSync(folder))
  if (name.endsWith('.api.md') && !reports.has(name)) rmSync(join(folder, name))
for (const [name, text] of reports) writeFileSync(join(folder, name), text)

/**
 * `npm run pack` ends with this: makes the npm package `monoceros-learn` of the site that was
 * built.
 *
 *     node scripts/pack-learn.mjs                        into dist-npm/, of site/dist
 *     node scripts/pack-learn.mjs --to DIR --site DIR    into another folder, of another site
 *
 * It prints a line of JSON: name, tarball, its size and that of its files, in bytes.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { stageLearn } from './learn-package.mjs'
import { packFolder } from './pack-folder.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: {
    to: { type: 'string', default: join(root, 'dist-npm') },
    site: { type: 'string', default: join(root, 'site', 'dist') },
  },
})
const target = resolve(values.to)
const folder = join(target, 'monoceros-learn')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
stageLearn(folder, resolve(values.site))
for (const name of ['package.json', 'README.md', 'LICENSE'])
  cpSync(join(root, 'packages', 'learn', name), join(folder, name))
console.log(JSON.stringify(packFolder(folder, target)))

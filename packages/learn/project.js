import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'

/** What a project of the page may be at most. */
export const LIMITS = { files: 64, bytes: 512 * 1024, depth: 4, name: 64, folders: 1000 }

/** A name that is one file on every system: no hidden one, no device of Windows, no end in a dot. */
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?$/
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** A request to save that is not followed. `code` says why; the message is for the reader. */
export class SaveError extends Error {
  /**
   * @param {'invalid' | 'exists' | 'failed'} code
   * @param {string} message
   * @param {readonly string[]} [files] those that exist
   */
  constructor(code, message, files = []) {
    super(message)
    this.code = code
    this.files = files
  }
}

/**
 * @typedef {object} Project
 * @property {string} name of its folder
 * @property {ReadonlyMap<string, string>} files texts by their paths, with `/`
 * @property {boolean} overwrite whether files that exist are replaced: the reader was asked
 */

/**
 * Reads what the page sends. Nothing of it is trusted.
 *
 * @param {unknown} value
 * @returns {Project}
 * @throws {SaveError}
 */
export function readProject(value) {
  const { name, files, overwrite = false } = /** @type {Record<string, unknown>} */ (value ?? {})
  if (typeof name !== 'string' || !isName(name))
    throw new SaveError('invalid', `This cannot be the name of a folder: ${shown(name)}`)
  if (typeof files !== 'object' || files === null || Array.isArray(files))
    throw new SaveError('invalid', 'A project is an object with texts by the paths of files')
  if (typeof overwrite !== 'boolean') throw new SaveError('invalid', 'overwrite is true or false')
  const entries = Object.entries(files)
  if (entries.length === 0) throw new SaveError('invalid', 'The project has no files')
  if (entries.length > LIMITS.files)
    throw new SaveError('invalid', `A project has at most ${LIMITS.files} files`)
  let bytes = 0
  const seen = new Set()
  for (const [path, text] of entries) {
    if (!isPath(path)) throw new SaveError('invalid', `This is no path for a file: ${shown(path)}`)
    if (typeof text !== 'string') throw new SaveError('invalid', `${path} is no text`)
    // On file systems that ignore case, they are the same file.
    if (seen.has(path.toLowerCase())) throw new SaveError('invalid', `${path} is there twice`)
    seen.add(path.toLowerCase())
    bytes += Buffer.byteLength(text)
  }
  if (bytes > LIMITS.bytes)
    throw new SaveError('invalid', `A project has at most ${LIMITS.bytes} bytes`)
  return { name, files: new Map(/** @type {[string, string][]} */ (entries)), overwrite }
}

/**
 * Writes a project into a new folder, which gets a number if its name is taken.
 *
 * @param {string} parent the folder in which it is made, absolute
 * @param {Project} project
 * @returns {Promise<string>} the folder
 * @throws {SaveError}
 */
export async function saveAsNew(parent, project) {
  for (let number = 1; number <= LIMITS.folders; number++) {
    const folder = join(parent, number === 1 ? project.name : `${project.name}-${number}`)
    try {
      await mkdir(folder)
    } catch (error) {
      if (codeOf(error) === 'EEXIST') continue
      throw failed(error)
    }
    await writeAll(folder, { ...project, overwrite: false })
    return folder
  }
  throw new SaveError('failed', `${parent} has too many folders ${project.name}`)
}

/**
 * Writes a project into a folder that the user has named. Files that exist stay as they are,
 * unless the project says that the reader wants to replace them.
 *
 * @param {string} folder absolute; it is made if its own folder exists
 * @param {Project} project
 * @throws {SaveError} with the code `exists` and those files; then nothing was written
 */
export async function saveInto(folder, project) {
  await mkdir(folder).catch((error) => {
    if (codeOf(error) !== 'EEXIST') throw failed(error)
  })
  if (!project.overwrite) {
    const exist = []
    for (const path of project.files.keys()) {
      if ((await lstat(join(folder, path)).catch(() => null)) !== null) exist.push(path)
    }
    if (exist.length > 0)
      throw new SaveError('exists', `These files exist already: ${exist.join(', ')}`, exist)
  }
  await writeAll(folder, project)
}

/**
 * @param {string} folder
 * @param {Project} project
 */
async function writeAll(folder, { files, overwrite }) {
  try {
    const root = await realpath(folder)
    for (const [path, text] of files) await writeOne(root, path, text, overwrite)
  } catch (error) {
    throw error instanceof SaveError ? error : failed(error)
  }
}

/**
 * @param {string} root
 * @param {string} path
 * @param {string} text
 * @param {boolean} overwrite
 */
async function writeOne(root, path, text, overwrite) {
  const folder = await folderFor(root, dirname(path))
  const target = join(root, path)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  if (!overwrite) return await write(target)
  const before = await lstat(target).catch(() => null)
  if (before !== null && !before.isFile())
    throw new SaveError('failed', `${path} is no file, so it is not replaced`)
  // It is complete, or it is the old one. A link that appears now is replaced, not followed.
  const fresh = join(folder, `.monoceros-learn-${randomBytes(6).toString('hex')}`)
  try {
    await write(fresh)
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }

  /** @param {string} name */
  async function write(name) {
    const file = await open(name, flags, 0o666)
    try {
      await file.writeFile(text)
    } finally {
      await file.close()
    }
  }
}

/**
 * Makes the folders of a file, one at a time: none of them may be a link, which could lead out.
 *
 * @param {string} root
 * @param {string} path
 */
async function folderFor(root, path) {
  let folder = root
  for (const name of path === '.' ? [] : path.split('/')) {
    folder = join(folder, name)
    await mkdir(folder).catch((error) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
    if (!(await lstat(folder)).isDirectory()) {
      const shownPath = relative(root, folder).split(sep).join('/')
      throw new SaveError('failed', `${shownPath} is no folder, so nothing is written below it`)
    }
  }
  return folder
}

/** @param {string} path */
function isPath(path) {
  const names = path.split('/')
  return names.length <= LIMITS.depth && names.every(isName)
}

/** @param {string} name */
function isName(name) {
  return name.length <= LIMITS.name && NAME.test(name) && !DEVICE.test(name)
}

/** @param {unknown} value */
function shown(value) {
  return JSON.stringify(value)?.slice(0, 100) ?? 'nothing'
}

/** @param {unknown} error */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code
}

/** @param {unknown} error */
function failed(error) {
  return new SaveError('failed', /** @type {Error} */ (error).message)
}

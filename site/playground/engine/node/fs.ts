/** `node:fs` in a page: there are no files. */

function noFiles(): never {
  throw Object.assign(new Error('ENOENT: there are no files in a page'), { code: 'ENOENT' })
}

export const closeSync = noFiles
export const existsSync = () => false
export const fstatSync = noFiles
export const openSync = noFiles
export const readFileSync = noFiles
export const statSync = noFiles
export const constants = { O_RDONLY: 0, O_NONBLOCK: 0 }

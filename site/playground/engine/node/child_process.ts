/** `node:child_process` in a page: there are no programs. */

export const spawnSync = () => ({ status: 1, stdout: '', stderr: '' })

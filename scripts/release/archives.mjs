import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const LARGEST = 64 * 1024 * 1024

/** @returns {string[]} the paths in an npm tarball, without the folder `package/` */
export function filesInTarball(tarball) {
  return lines(run('tar', ['-tzf', tarball])).map((path) => path.replace(/^package\//, ''))
}

/** @returns {string} a file of an npm tarball */
export function readFromTarball(tarball, path) {
  return run('tar', ['-xzOf', tarball, `package/${path}`])
}

/**
 * @param {string} python a Python
 * @param {string} wheel a path
 * @returns {string[]} the paths in it
 */
export function filesInWheel(python, wheel) {
  const program = 'import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist(), sep="\\n")'
  return lines(run(python, ['-c', program, wheel]))
}

/** @returns {string} a file of a wheel; `path` may end in `*` for what has the version in it */
export function readFromWheel(python, wheel, path) {
  const program =
    'import fnmatch, sys, zipfile\n' +
    'with zipfile.ZipFile(sys.argv[1]) as wheel:\n' +
    '    (name,) = fnmatch.filter(wheel.namelist(), sys.argv[2])\n' +
    '    sys.stdout.buffer.write(wheel.read(name))\n'
  return run(python, ['-c', program, wheel, path])
}

/** @returns {any} a manifest */
export function readManifest(root, folder = '') {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
}

function run(program, args) {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: LARGEST })
}

function lines(text) {
  return text.split('\n').filter((line) => line !== '')
}

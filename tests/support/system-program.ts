import { spawnSync } from 'node:child_process'

/**
 * Whether a program of the system is installed. If not, it says so, loudly; on CI it throws,
 * because there a skip would pass for a proof.
 *
 * @param name of the command, which accepts `--version` or `-v`
 * @param debianPackage that has it
 * @example describe.skipIf(!hasProgram('redis-server', 'redis-server'))('…', …)
 */
export function hasProgram(name: string, debianPackage = name): boolean {
  const { error } = spawnSync(name, ['--version'], { stdio: 'ignore' })
  if (error === undefined) return true
  const missing = `${name} is not installed (on Debian: apt-get install ${debianPackage}).`
  if (process.env.CI) throw new Error(`${missing} On CI that is a failure; .ci/run installs it.`)
  console.warn(`\n*** ${missing} Every test that needs it is SKIPPED.\n`)
  return false
}

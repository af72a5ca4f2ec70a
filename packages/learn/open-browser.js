import { spawn } from 'node:child_process'

/**
 * Opens an address in the user's browser, if there is a desktop.
 *
 * @param {string} address
 * @param {NodeJS.ProcessEnv} env
 * @param {NodeJS.Platform} platform
 * @returns {boolean} whether that was tried; a program that is missing is not noticed
 */
export function openBrowser(address, env, platform) {
  const command = browserCommand(env, platform)
  if (command === null) return false
  const [program = '', ...args] = command
  const child = spawn(program, [...args, address], { detached: true, stdio: 'ignore' })
  // The address is in the terminal, too.
  child.on('error', () => {})
  child.unref()
  return true
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {NodeJS.Platform} platform
 * @returns {string[] | null} null on a machine without a desktop, and over SSH
 */
export function browserCommand(env, platform) {
  if (env.BROWSER === 'none') return null
  if (env.SSH_CONNECTION && !env.DISPLAY) return null
  if (platform === 'darwin') return ['open']
  if (env.WSL_DISTRO_NAME) return ['wslview']
  if (!env.DISPLAY && !env.WAYLAND_DISPLAY) return null
  return [env.BROWSER && !/[%:\s]/.test(env.BROWSER) ? env.BROWSER : 'xdg-open']
}

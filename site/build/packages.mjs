/** Beside the folder of the site: the npm packages that are in it, which the build writes. */
export const PACKAGES = 'site-packages.json'

/**
 * The npm packages that modules belong to.
 *
 * @param {readonly string[]} modules paths
 * @returns {string[]} names, each once
 */
export function packagesOf(modules) {
  const names = modules.flatMap((path) => {
    const inside = path.replaceAll('\\', '/').split('/node_modules/').at(-1)
    if (inside === undefined || inside === path || path.startsWith('\0')) return []
    const [first = '', second = ''] = inside.split('/')
    return [first.startsWith('@') ? `${first}/${second}` : first]
  })
  return [...new Set(names)]
}

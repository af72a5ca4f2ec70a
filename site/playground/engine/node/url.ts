/** `node:url` in a page. */

export const fileURLToPath = (url: string | URL) => new URL(url).pathname
export const pathToFileURL = (path: string) => new URL(`file://${path}`)

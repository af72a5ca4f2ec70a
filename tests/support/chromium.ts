import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { temporaryDirectory } from './applications.ts'

/** What the system's browser may be called; playwright-core speaks to any of them. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * Finds the browser: `$MONOCEROS_CHROMIUM`, which must then be one, or the first of chromium,
 * chromium-browser, google-chrome on `$PATH`. Without any it says so, loudly, and gives null; on CI
 * it throws, because there a skip would pass for a proof.
 *
 * @example describe.skipIf(findChromium() === null)('in a browser', …)
 */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | null {
  const named = env.MONOCEROS_CHROMIUM
  if (named) {
    if (isProgram(named)) return named
    throw new Error(`MONOCEROS_CHROMIUM is ${JSON.stringify(named)}, which is no program`)
  }
  for (const name of NAMES) {
    for (const folder of (env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name)
      if (folder !== '' && isProgram(path)) return path
    }
  }
  const missing =
    `There is no browser: none of ${NAMES.join(', ')} is on PATH, and MONOCEROS_CHROMIUM ` +
    'names none.'
  if (env.CI) throw new Error(`${missing} On CI that is a failure; .ci/run installs one.`)
  console.warn(
    `\n*** ${missing}` +
      '\n*** Every test that needs a browser is SKIPPED: nothing shows that Python works ' +
      'beside Vite.' +
      '\n*** On Debian: apt-get install chromium\n',
  )
  return null
}

/**
 * Starts the browser, headless, as if nobody had ever used it. `close` ends it and removes all that
 * it wrote.
 */
export async function launchChromium(
  executablePath: string,
): Promise<{ browser: Browser; close(): Promise<void> }> {
  const home = temporaryDirectory()
  const temporary = join(home.path, 'tmp')
  mkdirSync(temporary)
  try {
    // launch() takes a new profile each time, in TMPDIR of this process; HOME is for what a browser
    // keeps beside it.
    const browser = await chromium.launch({
      executablePath,
      env: {
        ...definedOnly(process.env),
        HOME: home.path,
        TMPDIR: temporary,
        XDG_CONFIG_HOME: home.path,
        XDG_CACHE_HOME: home.path,
      },
      chromiumSandbox: false,
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    return {
      browser,
      async close() {
        await browser.close()
        home.remove()
      },
    }
  } catch (error) {
    home.remove()
    throw error
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}

import { accessSync, constants, mkdirSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import {
  type Browser,
  type BrowserType,
  chromium,
  firefox,
  type LaunchOptions,
} from 'playwright-core'
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
  return findBrowser(env, {
    kind: 'browser',
    names: NAMES,
    variable: 'MONOCEROS_CHROMIUM',
    skipped:
      'Every test that needs a browser is SKIPPED: nothing shows that Python works beside Vite',
  })
}

/** Finds Firefox in the same way: `$MONOCEROS_FIREFOX`, firefox-esr or firefox. */
export function findFirefox(env: NodeJS.ProcessEnv = process.env): string | null {
  return findBrowser(env, {
    kind: 'Firefox',
    names: ['firefox-esr', 'firefox'],
    variable: 'MONOCEROS_FIREFOX',
    skipped: 'Its tests are SKIPPED: nothing shows that the site works in it',
  })
}

interface Sought {
  readonly kind: string
  /** Of the program; the first one is also that of Debian's package. */
  readonly names: readonly string[]
  readonly variable: string
  /** What a missing one means. */
  readonly skipped: string
}

function findBrowser(env: NodeJS.ProcessEnv, sought: Sought): string | null {
  const { kind, names, variable, skipped } = sought
  const named = env[variable]
  if (named) {
    if (isProgram(named)) return named
    throw new Error(`${variable} is ${JSON.stringify(named)}, which is no program`)
  }
  for (const name of names) {
    for (const folder of (env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name)
      if (folder !== '' && isProgram(path)) return path
    }
  }
  const all = names.join(', ')
  const missing = `There is no ${kind}: none of ${all} is on PATH, and ${variable} names none.`
  if (env.CI) throw new Error(`${missing} On CI that is a failure; .ci/run installs one.`)
  console.warn(`\n*** ${missing}\n*** ${skipped}.\n*** On Debian: apt-get install ${names[0]}\n`)
  return null
}

/** A browser that runs. */
export interface LaunchedBrowser {
  readonly browser: Browser
  /** Ends it, and removes all that it wrote. */
  close(): Promise<void>
}

/** Starts the browser, headless, as if nobody had ever used it. */
export function launchChromium(executablePath: string): Promise<LaunchedBrowser> {
  return launch(chromium, {
    executablePath,
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
}

/** Starts Firefox in the same way: that of Mozilla or of a distribution, by WebDriver BiDi. */
export function launchFirefox(executablePath: string): Promise<LaunchedBrowser> {
  return launch(firefox, { executablePath, channel: 'moz-firefox', timeout: 120_000 })
}

async function launch(kind: BrowserType, options: LaunchOptions): Promise<LaunchedBrowser> {
  const home = temporaryDirectory()
  const temporary = join(home.path, 'tmp')
  mkdirSync(temporary)
  try {
    // launch() takes a new profile each time, in TMPDIR of this process; HOME is for what a browser
    // keeps beside it.
    const browser = await kind.launch({
      ...options,
      env: {
        ...definedOnly(process.env),
        HOME: home.path,
        TMPDIR: temporary,
        XDG_CONFIG_HOME: home.path,
        XDG_CACHE_HOME: home.path,
      },
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

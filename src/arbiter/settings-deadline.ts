import { type Coded, coded } from '../messages/coded.ts'
import { LoadWatch, type StackReport } from '../runtimes/load-watch.ts'

/** The only step of reading the settings that can take time. */
const WAITING: StackReport = {
  text: 'The config file has not ended: it waits for something, in Python or in a top-level await.',
  isStack: false,
}

/**
 * Reads the settings, with the warnings and the time limit of loading an application.
 *
 * @param limit `seconds`: `load_timeout`; `pid`: the arbiter
 * @throws what `read` rejects with, or an Error after the time limit
 */
export async function readWithin<T>(
  read: () => Promise<T>,
  limit: { readonly seconds: number; readonly pid: number; warn(text: Coded): void },
): Promise<T> {
  let end = () => {}
  const late = new Promise<never>((_, reject) => {
    end = new LoadWatch({
      application: 'the settings',
      timeout: limit.seconds,
      warn: (text) => limit.warn(text),
    }).begin({
      name: 'The arbiter',
      pid: limit.pid,
      reportStack: () => Promise.resolve(WAITING),
      giveUp: (text) => reject(new Error(coded('MONO2021', text))),
    })
  })
  try {
    return await Promise.race([read(), late])
  } finally {
    end()
  }
}

import { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// What the applications tell the test, and the test them, through files: it looks at processes from
// outside.

const folder = process.env.TEST_DATA ?? '.'

export function note(event: string): void {
  appendFileSync(join(folder, 'events'), `${event}\n`)
}

/** Resolves when the test says so. */
export async function told(key: string): Promise<void> {
  while (!existsSync(join(folder, `${key}.go`))) await sleep(10)
}

/** The page that each application has, around the links that it makes in its own way. */
export function page(name: string, form: string, facts: string): string {
  const paragraphs = Array.from(
    { length: 60 },
    (_, number) => `<p>Paragraph ${number} of a page that is worth compressing.</p>\n`,
  )
  return (
    `<!doctype html>\n<title>${name}</title>\n<a href="${form}">form</a> <a ` +
    `href="${facts}">facts</a>\n${paragraphs.join('')}`
  )
}

export const exportBlock = Buffer.from('name;price;in stock\r\n'.repeat(3000))

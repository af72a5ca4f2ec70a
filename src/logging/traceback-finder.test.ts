import { describe, expect, it } from 'vitest'
import { TracebackFinder } from './traceback-finder.ts'

/** What is found when one process prints `text`. */
function found(text: string, pid = 1): string[] {
  const entries: { text: string }[] = []
  const finder = finderInto(entries)
  for (const line of text.split('\n')) finder.line(line, pid)
  return entries.map((entry) => entry.text)
}

function finderInto(entries: { text: string }[]) {
  return new TracebackFinder<{ text: string }>(
    (text) => {
      const entry = { text }
      entries.push(entry)
      return entry
    },
    (entry, line) => {
      entry.text += `\n${line}`
    },
  )
}

const TRACEBACK = `Traceback (most recent call last):
  File "shop.py", line 42, in fail
    return rows["price"]
           ~~~~^^^^^^^^^
KeyError: 'price'`

describe('TracebackFinder', () => {
  it('finds a traceback with the line before it', () => {
    const logged = `ERROR in app: Exception on /fail [GET]\n${TRACEBACK}`
    expect(found(`started\n${logged}\ngoes on\n  indented`)).toEqual([logged])
  })

  it('keeps two that follow each other apart', () => {
    const a = `ERROR on /a\n${TRACEBACK}`
    const b = `ERROR on /b\n${TRACEBACK}`
    expect(found(`${a}\n${b}`)).toEqual([a, b])
    expect(found(`${TRACEBACK}\n${TRACEBACK}`)).toEqual([TRACEBACK, TRACEBACK])
  })

  it('keeps the causes of an exception with it', () => {
    const joint = 'During handling of the above exception, another exception occurred:'
    const both = `${TRACEBACK}\n\n${joint}\n\n${TRACEBACK}`
    expect(found(`${both}\nnext`)).toEqual([both])
  })

  it('takes a group of exceptions whole', () => {
    const group = `  + Exception Group Traceback (most recent call last):
  |   File "shop.py", line 3, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------`
    expect(found(`${group}\nnext`)).toEqual([group])
  })

  it('finds the stacks that a fatal signal prints', () => {
    const fatal = `Fatal Python error: Aborted

Thread 0x00007f97d898f6c0 (most recent call first):
  File "shop.py", line 28 in b

Current thread 0x00007f97d898f6c1 (most recent call first):
  File "shop.py", line 21 in a`
    expect(found(`${fatal}\nnext`)).toEqual([fatal])
  })

  it('keeps what several processes print apart', () => {
    const entries: { text: string }[] = []
    const finder = finderInto(entries)
    for (const line of TRACEBACK.split('\n')) for (const pid of [1, 2]) finder.line(line, pid)
    expect(entries.map((entry) => entry.text)).toEqual([TRACEBACK, TRACEBACK])
  })

  it('forgets the process that printed least recently when there are many', () => {
    const entries: { text: string }[] = []
    const finder = finderInto(entries)
    finder.line('Traceback (most recent call last):', 1)
    for (let pid = 2; pid <= 257; pid++) finder.line('hello', pid)
    finder.line('  File "shop.py", line 3', 1)
    expect(entries).toEqual([{ text: 'Traceback (most recent call last):' }])
  })

  it('finds nothing in other output', () => {
    expect(found('hello\n  world\n\nTraceback of the parcel')).toEqual([])
  })
})

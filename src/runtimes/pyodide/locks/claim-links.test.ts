import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { ClaimLinks, claimantOf, claimLink, gateLink, isClaimLink } from './claim-links.ts'

const folder = fs.mkdtempSync(join(tmpdir(), 'monoceros-claims-'))
afterAll(() => fs.rmSync(folder, { recursive: true }))
afterEach(() => vi.restoreAllMocks())

const INODE = 12345n
const module = new URL('../../../../dist/runtimes/pyodide/locks/claim-links.js', import.meta.url)
  .href
let names = 0

function newLink(): Buffer {
  return claimLink(Buffer.from(join(folder, `file-${++names}`)))
}

/** As if it were a process of its own. */
function claimant(table: number, identity?: ConstructorParameters<typeof ClaimLinks>[2]) {
  let serial = 0
  const links = new ClaimLinks(table, () => ++serial, identity)
  return {
    links,
    take: (link: Buffer, text = links.text(++serial, INODE)) =>
      links.take(link, text, INODE).outcome,
  }
}

/** The texts of a claim, and of the pass to a gate, of a process that was killed. */
async function deadTexts(): Promise<string[]> {
  const code = `
    const { ClaimLinks } = await import(${JSON.stringify(module)})
    let serial = 0
    const links = new ClaimLinks(7, () => ++serial)
    console.log(JSON.stringify(Array.from({ length: 400 }, () => links.text(++serial, ${INODE}n))))
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const part of child.stdout.setEncoding('utf8')) {
    output += part
    if (output.endsWith('\n')) break
  }
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  return JSON.parse(output)
}

describe('claims by links', () => {
  it('who has a claim keeps others out until it is given back', () => {
    const link = newLink()
    const [one, two] = [claimant(1), claimant(2)]
    const text = one.links.text(99, INODE)
    expect(one.take(link, text)).toBe('taken')
    expect(two.take(link)).toBe('busy')
    expect(claimantOf(two.links.holder(link, INODE) as string)).toBe(process.pid)
    two.links.release(link, 'what it never had')
    expect(two.take(link)).toBe('busy')
    one.links.release(link, text)
    expect(two.links.holder(link, INODE)).toBeNull()
    expect(two.take(link)).toBe('taken')
  })

  it('says why there can be none', () => {
    const { links } = claimant(1)
    const missing = claimLink(Buffer.from(join(folder, 'missing', 'file')))
    expect(links.take(missing, 'text', INODE)).toEqual({ outcome: 'impossible', code: 'ENOENT' })
  })

  it('what a killed process had is taken over, also what it had of a take-over', async () => {
    const [claim, pass] = (await deadTexts()) as [string, string]
    const link = newLink()
    fs.symlinkSync(claim, link)
    const one = claimant(1)
    expect(one.links.holder(link, INODE)).toBeNull()
    expect(one.take(link)).toBe('taken')

    const other = newLink()
    fs.symlinkSync(claim, other)
    fs.symlinkSync(pass, gateLink(other, claim))
    expect(one.take(other)).toBe('taken')
    expect(fs.readdirSync(folder).filter((name) => name.includes('-monoceros-'))).toEqual([])
  })

  it('an abandoned claim stays as long as somebody who lives is about to remove it', async () => {
    const [claim] = (await deadTexts()) as [string]
    const link = newLink()
    const gate = gateLink(link, claim)
    fs.symlinkSync(claim, link)
    fs.symlinkSync(claimant(2).links.text(1, 0n), gate)
    expect(claimant(1).take(link)).toBe('busy')
    expect(fs.readlinkSync(link)).toBe(claim)
    fs.unlinkSync(gate)
    expect(claimant(1).take(link)).toBe('taken')
  })

  it('a number that belongs to another process by now, and a copy beside another file, are nobody’s', () => {
    const { links, take } = claimant(1)
    const text = claimant(2).links.text(1, INODE)
    const link = newLink()
    fs.symlinkSync(text.replace(/^(\d+@\w+\.\w+)\.\w+/, '$1.1'), link)
    expect(take(link)).toBe('taken')
    const copy = newLink()
    fs.symlinkSync(text, copy)
    expect(links.take(copy, links.text(50, 1n), 1n).outcome).toBe('taken')
  })

  it('what is no claim that it understands stays', () => {
    const { take } = claimant(1)
    const link = newLink()
    fs.symlinkSync('monoceros 9: whatever', link)
    expect(take(link)).toBe('busy')
    const file = newLink()
    fs.writeFileSync(file, 'text')
    expect(take(file)).toBe('busy')
    expect(fs.readFileSync(file, 'utf8')).toBe('text')
  })

  it('one of another PID namespace lives as long as it is touched', () => {
    const elsewhere = { pid: 1, boot: '', namespace: 'other', start: '5' }
    const link = newLink()
    const one = claimant(1)
    elsewhere.boot = /@(\w+)\./.exec(one.links.text(1, INODE))?.[1] as string
    const two = claimant(2, elsewhere)
    const text = two.links.text(9, INODE)
    expect(two.take(link, text)).toBe('taken')
    const clock = vi.spyOn(performance, 'now')
    const begun = performance.now()
    const time = vi.spyOn(Date, 'now')
    const wall = Date.now()
    for (let second = 1; second < 40; second++) {
      clock.mockReturnValue(begun + second * 1000)
      time.mockReturnValue(wall + second * 1000)
      expect(two.links.touch(link, text)).toBe(true)
      expect(one.take(link)).toBe('busy')
    }
    // The clock is set: it looks old, but nobody has watched it long enough.
    time.mockReturnValue(wall + 3_600_000)
    expect(one.take(link)).toBe('busy')
    time.mockReturnValue(wall + 40_000)
    clock.mockReturnValue(begun + 49_500)
    expect(one.take(link)).toBe('busy')
    time.mockReturnValue(wall + 49_500)
    expect(one.take(link)).toBe('taken')
    expect(two.links.touch(link, text)).toBe(false)
  })

  it('is recognised in a listing by its text, and not by its name alone', () => {
    const link = newLink()
    const name = (path: Buffer) => path.subarray(path.lastIndexOf('/') + 1)
    claimant(1).take(link)
    claimant(2).links.ask(link)
    expect(isClaimLink(link, name(link))).toBe(true)
    const mark = Buffer.concat([link, Buffer.from('-ask')])
    expect(isClaimLink(mark, name(mark))).toBe(true)
    expect(claimant(1).links.asked(link)).toBe(true)
    expect(claimant(1).links.asked(link)).toBe(false)
    const project = join(folder, 'my-monoceros')
    fs.mkdirSync(project)
    expect(isClaimLink(project, Buffer.from('my-monoceros'))).toBe(false)
  })

  it('nobody has asked if that cannot be seen: the name is too long, or the folder closed', () => {
    const longest = 255 - '-monoceros'.length
    const long = claimLink(Buffer.from(join(folder, 'x'.repeat(longest))))
    expect(claimant(1).take(long)).toBe('taken')
    expect(claimant(1).links.asked(long)).toBe(false)
    fs.unlinkSync(long)
    const closed = join(folder, 'closed')
    fs.mkdirSync(closed, 0)
    // Root may search every folder.
    const isRoot = process.getuid?.() === 0
    if (isRoot) process.seteuid?.(65534)
    try {
      expect(claimant(1).links.asked(claimLink(Buffer.from(join(closed, 'file'))))).toBe(false)
    } finally {
      if (isRoot) process.seteuid?.(0)
      fs.rmdirSync(closed)
    }
  })

  it('of many who find an abandoned claim at once one has it, and nothing is left behind', async () => {
    const dead = await deadTexts()
    const link = newLink()
    const code = `
      const { workerData, parentPort } = require('node:worker_threads')
      const fs = require('node:fs')
      import(workerData.module).then(({ ClaimLinks, gateLink }) => {
        const { table, dead, inside } = workerData
        const link = Buffer.from(workerData.link)
        let serial = 0
        const links = new ClaimLinks(table, () => ++serial)
        for (let turn = 0; turn < workerData.turns; ) {
          const text = links.text(++serial, 12345n)
          if (links.take(link, text, 12345n).outcome !== 'taken') continue
          // Fails where another is.
          fs.mkdirSync(inside)
          fs.rmdirSync(inside)
          turn++
          // As it would be if a process had been killed that had it.
          const next = dead.pop()
          if (next === undefined || turn % 2 === 0) links.release(link, text)
          else {
            // And another that was about to take it over.
            if (dead.length % 2 === 0) fs.symlinkSync(dead.pop(), gateLink(link, next))
            fs.symlinkSync(next, link + '.next-' + table)
            fs.renameSync(link + '.next-' + table, link)
          }
        }
      })`
    const threads = [1, 2, 3, 4].map((table) => {
      const worker = new Worker(code, {
        eval: true,
        workerData: {
          module,
          table,
          link: link.toString(),
          inside: join(folder, 'inside'),
          dead: dead.slice(table * 80, table * 80 + 80),
          turns: 200,
        },
      })
      return once(worker, 'exit')
    })
    expect((await Promise.all(threads)).flat()).toEqual([0, 0, 0, 0])
    const left = fs.readdirSync(folder).filter((name) => name.startsWith(`file-${names}-`))
    // The last to have it may have died.
    expect(left.filter((name) => name !== `file-${names}-monoceros`)).toEqual([])
  })
})

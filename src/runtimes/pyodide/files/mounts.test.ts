import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ifMountable, MountError, type MountRequest, parseMount, planMounts } from './mounts.ts'

let root: string

beforeAll(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'monoceros-mounts-')))
  for (const folder of ['app/static', 'app/lib', 'lib', 'tmp', 'own'])
    mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, 'settings.ini'), '')
  symlinkSync(join(root, 'app'), join(root, 'current'))
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

function plan(request: Partial<MountRequest>) {
  return planMounts({
    chdir: join(root, 'app'),
    pythonPath: [],
    temporary: null,
    asked: [],
    own: [],
    ...request,
  })
    .filter(({ path }) => path.startsWith(root))
    .map(({ path, readOnly }) => `${path.slice(root.length)}${readOnly ? ':ro' : ''}`)
}

describe('--mount', () => {
  it('is a path, absolute or from the working directory, with its rights behind it', () => {
    expect(parseMount('app/static:ro', root)).toEqual({
      path: join(root, 'app/static'),
      readOnly: true,
    })
    expect(parseMount(`${root}/app/../lib/`, '/')).toEqual({
      path: join(root, 'lib'),
      readOnly: false,
    })
    expect(parseMount('lib:rw', root)).toEqual({ path: join(root, 'lib'), readOnly: false })
    expect(parseMount('settings.ini', root)).toEqual({
      path: join(root, 'settings.ini'),
      readOnly: false,
    })
  })

  it.each([
    ['nothing', 'does not exist'],
    [':ro', 'no path before the colon'],
    ['/', 'root of the disk'],
    ['/dev/null', 'neither a folder nor a regular file'],
    ['/lib', 'would hide files of the embedded interpreter'],
    ['/dev', 'would hide'],
    ['/proc/self', 'would hide'],
  ])('%s is refused with a reason', (text, reason) => {
    expect(() => parseMount(text, root)).toThrow(MountError)
    expect(() => parseMount(text, root)).toThrow(reason)
    expect(() => parseMount(text, root)).toThrow(/ \[MONO2051\]$/)
  })
})

describe('mounts that nobody has asked for', () => {
  it('have what can be mounted, by its whole name', () => {
    mkdirSync(join(root, 'lib:ro'))
    expect(ifMountable(['', '/', '/dev', 'nothing', 'lib:ro'], root)).toEqual([
      { path: join(root, 'lib:ro'), readOnly: false },
    ])
  })
})

describe('the plan of mounts', () => {
  it('has the working directory, what modules come from and the temporary folder; what is missing is left out', () => {
    const temporary = join(root, 'tmp')
    expect(
      plan({ pythonPath: ['../lib', 'lib', 'missing', '.'], temporary, own: [join(root, 'own')] }),
    ).toEqual(['/app', '/lib', '/own:ro', '/tmp'])
  })

  it('keeps a nested mount only where its rights differ, behind the one that it is in', () => {
    const asked = [
      { path: join(root, 'app/static'), readOnly: true },
      { path: join(root, 'app/lib'), readOnly: false },
    ]
    expect(plan({ asked })).toEqual(['/app', '/app/static:ro'])
    expect(plan({ asked: [{ path: root, readOnly: true }] })).toEqual([':ro', '/app'])
  })

  it('lets what was asked for win', () => {
    expect(plan({ asked: [{ path: join(root, 'app'), readOnly: true }] })).toEqual(['/app:ro'])
    expect(plan({ own: [join(root, 'app')] })).toEqual(['/app'])
    expect(
      plan({ own: [join(root, 'own')], asked: [{ path: join(root, 'own'), readOnly: false }] }),
    ).toEqual(['/app', '/own'])
  })

  it('makes what a link leads to visible under both paths, with the same rights', () => {
    expect(plan({ chdir: join(root, 'current') })).toEqual(['/app', '/current'])
    expect(plan({ asked: [{ path: join(root, 'current'), readOnly: true }] })).toEqual([
      '/app:ro',
      '/current:ro',
    ])
  })

  it.runIf(existsSync('/usr/share/zoneinfo'))('has the time zones, to be read', () => {
    const zones = planMounts({
      chdir: root,
      pythonPath: [],
      temporary: null,
      asked: [],
      own: [],
    }).find(({ path }) => path === '/usr/share/zoneinfo')
    expect(zones).toEqual({ path: '/usr/share/zoneinfo', readOnly: true })
  })

  it('refuses the root of the disk and a missing folder as working directory', () => {
    expect(() => plan({ chdir: '/' })).toThrow('root of the disk')
    expect(() => plan({ chdir: join(root, 'missing') })).toThrow('does not exist')
  })
})

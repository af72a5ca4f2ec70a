/** `node:util`, as far as the server's command line needs it in a page. */

interface Option {
  readonly type: 'string' | 'boolean'
  readonly short?: string
}

type Token =
  | { readonly kind: 'positional'; readonly index: number; readonly value: string }
  | { readonly kind: 'option-terminator'; readonly index: number }
  | {
      readonly kind: 'option'
      readonly index: number
      readonly name: string
      readonly rawName: string
      readonly value: string | undefined
      readonly inlineValue: boolean | undefined
    }

/** The tokens of `parseArgs({ strict: false, tokens: true })`. */
export function parseArgs({
  args,
  options,
}: {
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, Option>>
}): { readonly tokens: Token[] } {
  const shorts = new Map(Object.entries(options).map(([name, { short }]) => [short, name]))
  const tokens: Token[] = []
  let index = 0
  const takeValue = (name: string): string | undefined => {
    const next = args[index + 1]
    if (options[name]?.type !== 'string' || next === undefined) return undefined
    index += 1
    return next
  }
  for (; index < args.length; index++) {
    const arg = args[index]!
    const at = index
    if (arg === '--') {
      tokens.push({ kind: 'option-terminator', index })
      for (const value of args.slice(index + 1)) {
        index += 1
        tokens.push({ kind: 'positional', index, value })
      }
    } else if (arg.startsWith('--')) {
      const equals = arg.indexOf('=')
      const rawName = equals === -1 ? arg : arg.slice(0, equals)
      const name = rawName.slice(2)
      const value = equals === -1 ? takeValue(name) : arg.slice(equals + 1)
      const inlineValue = value === undefined ? undefined : equals !== -1
      tokens.push({ kind: 'option', index: at, name, rawName, value, inlineValue })
    } else if (arg.startsWith('-') && arg.length > 1) {
      const rawName = arg.slice(0, 2)
      const name = shorts.get(arg[1]) ?? arg[1]!
      const joined = arg.length > 2
      const value = joined ? arg.slice(2) : takeValue(name)
      const inlineValue = value === undefined ? undefined : joined
      tokens.push({ kind: 'option', index: at, name, rawName, value, inlineValue })
    } else {
      tokens.push({ kind: 'positional', index, value: arg })
    }
  }
  return { tokens }
}

export function isDeepStrictEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/**
 * Whether what was printed is what the page shows: all of it, or (`within`) its lines among others,
 * in their order.
 */
export function outputMatches(
  shown: string,
  printed: string,
  where: 'all' | 'within' = 'all',
): boolean {
  const gap = '(?:.*\\n)*?'
  const lines = shown
    .split('\n')
    .slice(0, -1)
    .map((line) =>
      line === '…' ? gap : `${line.trimEnd().split('…').map(escapeRegExp).join('.*')}\\n`,
    )
  const pattern =
    where === 'all' ? lines.join('') : [gap, ...lines.flatMap((line) => [line, gap])].join('')
  const clean = printed.replaceAll('\r', '').replace(/[ \t]+$/gm, '')
  return new RegExp(`^${pattern}$`).test(
    clean === '' || clean.endsWith('\n') ? clean : `${clean}\n`,
  )
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/**
 * The licences that what we publish, and what is installed with it, may have: they ask for their
 * text and a notice, or for nothing. MPL-2.0 asks for the source of changed files, and we change
 * none of Pyodide's.
 */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MPL-2.0',
  'PSF-2.0',
])

/** What separates packages in a text of licences. */
const RULE = /\n\n-{80}\n\n/

/**
 * What an SBOM says of licences that must not be.
 *
 * @param {string} sbom CycloneDX, as JSON
 * @returns {string[]} a line for each component whose licence is missing, or not allowed
 */
export function licenceProblems(sbom) {
  const { components, metadata } = JSON.parse(sbom)
  return [metadata.component, ...components].flatMap(({ purl, licenses = [] }) => {
    const named = licenses.map(
      ({ expression, license }) => expression ?? license.id ?? license.name,
    )
    if (named.length === 0 && purl.startsWith('pkg:npm/')) return [`${purl} names no licence`]
    return named
      .filter((expression) => !isAllowed(expression))
      .map(
        (expression) => `${purl}: the licence ${expression} is not in scripts/release/licences.mjs`,
      )
  })
}

/** Whether an SPDX expression can be met: all of AND, one of OR. */
export function isAllowed(expression) {
  const parts = (text, word) => text.replace(/^\((.*)\)$/, '$1').split(` ${word} `)
  return parts(expression, 'OR').some((choice) =>
    parts(choice, 'AND').every((licence) => ALLOWED.has(licence)),
  )
}

/**
 * The packages in a text of licences, as `licencesOf` of scripts/bundle.mjs writes it.
 *
 * @param {string} text
 * @returns {{ name: string, version: string, license: string }[]}
 */
export function packagesOfNotices(text) {
  return text.split(RULE).map((part) => {
    const match = /^(\S+) (\S+) \(([^\n]+)\)\n\n\s*\S/.exec(part)
    if (match === null) throw new Error(`no name, licence and text: ${part.slice(0, 80)}`)
    return { name: match[1], version: match[2], license: match[3] }
  })
}

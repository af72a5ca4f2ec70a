import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import cyclonedx from '@cyclonedx/cyclonedx-library'

const { Spec, Validation } = cyclonedx
/** Of CycloneDX. */
const VERSION = Spec.Version.v1dot6

/**
 * The software bill of materials of an npm package: what is bundled in it, and what npm installs
 * with it. The tarball is installed into an empty folder for that, as a user does it.
 *
 * @param {string} tarball a path
 * @param {readonly { name: string, version: string, license: string }[]} bundled npm packages
 * @returns {Promise<string>} CycloneDX 1.6, as JSON
 */
export async function packageSbom(tarball, bundled) {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-sbom-'))
  const quiet = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] }
  try {
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1'], quiet)
    // What users of the package do not install.
    const path = join(folder, 'package.json')
    const { devDependencies, workspaces, scripts, ...manifest } = JSON.parse(
      readFileSync(path, 'utf8'),
    )
    writeFileSync(path, JSON.stringify(manifest))
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
    execFileSync('npm', ['install', '--omit=dev', '--omit=optional', ...flags], quiet)
    const listed = execFileSync(
      'npm',
      ['sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'library', '--omit', 'dev'],
      { ...quiet, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    return await valid(renewed(JSON.parse(listed), manifest.name, bundled))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * What npm writes is of version 1.5, names the folder, and has a time and a random number: the same
 * packages must make the same bytes.
 */
function renewed({ serialNumber, metadata: { timestamp, ...metadata }, ...bom }, name, bundled) {
  const installed = new Set(bom.components.map(({ purl }) => purl))
  const parts = bundled.map(npmComponent).filter(({ purl }) => !installed.has(purl))
  const root = { ...metadata.component, name }
  const dependencies = bom.dependencies.map((dependency) =>
    dependency.ref === root['bom-ref']
      ? { ...dependency, dependsOn: [...dependency.dependsOn, ...parts.map(({ purl }) => purl)] }
      : dependency,
  )
  return printed({
    ...bom,
    $schema: `http://cyclonedx.org/schema/bom-${VERSION}.schema.json`,
    specVersion: VERSION,
    metadata: { ...metadata, component: root },
    components: [...bom.components, ...parts],
    dependencies: [...dependencies, ...parts.map(({ purl }) => ({ ref: purl }))],
  })
}

function npmComponent({ name: full, version, license }) {
  const [name, group] = full.split('/').reverse()
  const purl = `pkg:npm/${full.replace('@', '%40')}@${version}`
  return component(name, purl, { group, version }, license)
}

function printed(bom) {
  return `${JSON.stringify(bom, null, 2)}\n`
}

/**
 * The software bill of materials of a Python package: the npm packages that are in it, and what pip
 * installs with it.
 *
 * @param {object} wheel
 * @param {string} wheel.name
 * @param {string} wheel.version
 * @param {string} wheel.license an SPDX expression
 * @param {readonly { name: string, version: string, license: string }[]} wheel.bundled npm packages
 * @param {readonly string[]} wheel.requirements names of packages in PyPI
 * @returns {Promise<string>} CycloneDX 1.6, as JSON
 */
export async function wheelSbom({ name, version, license, bundled, requirements }) {
  const root = component(name, `pkg:pypi/${name}@${version}`, { version }, license)
  const parts = [
    ...bundled.map(npmComponent),
    ...requirements.map((other) => component(other, `pkg:pypi/${other}`, {})),
  ].sort((a, b) => (a.purl < b.purl ? -1 : 1))
  const bom = {
    bomFormat: 'CycloneDX',
    specVersion: VERSION,
    version: 1,
    metadata: { component: root },
    components: parts,
    dependencies: [
      { ref: root.purl, dependsOn: parts.map(({ purl }) => purl) },
      ...parts.map(({ purl }) => ({ ref: purl })),
    ],
  }
  return await valid(printed(bom))
}

function component(name, purl, details, expression) {
  const licenses = expression === undefined ? undefined : [{ expression }]
  return { type: 'library', 'bom-ref': purl, name, ...details, licenses, purl }
}

/**
 * @param {string} sbom
 * @returns {Promise<string>} the same
 * @throws {Error} if it breaks the schema of CycloneDX
 */
async function valid(sbom) {
  const problems = await new Validation.JsonStrictValidator(VERSION).validate(sbom)
  if (problems !== null) throw new Error(`an invalid SBOM: ${JSON.stringify(problems)}`)
  return sbom
}

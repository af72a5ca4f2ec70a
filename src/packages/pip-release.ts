/**
 * The release of pip that does the installing. It is run inside of the embedded interpreter and
 * adapted to it (python/monoceros_pyodide/installer.py), so it is this one and no other; a new one
 * is taken when its tests pass.
 */
export const PIP_RELEASE = {
  version: '26.3',
  filename: 'pip-26.3-py3-none-any.whl',
  /** Of the wheel as PyPI has it. */
  sha256: 'f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13',
} as const

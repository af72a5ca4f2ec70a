/**
 * The release of pip that installs packages. It runs in the embedded interpreter and is adapted to
 * it (python/monoceros_pyodide/installer.py), so no other release works; update it when the tests
 * pass with a new one.
 */
export const PIP_RELEASE = {
  version: '26.3',
  filename: 'pip-26.3-py3-none-any.whl',
  /** The digest of the wheel on PyPI. */
  sha256: 'f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13',
} as const

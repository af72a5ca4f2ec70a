import { useTemporaryFolder } from './temporary-folder.ts'

/** Prepares what unit tests need: a folder for temporary files. No build, no Python. */
export function setup(): () => void {
  return useTemporaryFolder()
}

/**
 * Read when the server starts in this folder, and again on HUP. Flags of the command line replace
 * what stands here.
 */
import { availableParallelism } from 'node:os'

const config = {
  workers: Math.min(availableParallelism(), 4),
  access_logfile: '-',
  limit_request_body: '20M',
  raw_env: { SITE_NAME: 'Examples' },
}

// biome-ignore lint/style/noDefaultExport: it is what a config file is for
export { config as default }

/**
 * The server reads this file when it starts in this folder, and again on HUP. Flags of the command
 * line replace these settings.
 */
import { availableParallelism } from 'node:os'

const config = {
  workers: Math.min(availableParallelism(), 4),
  access_logfile: '-',
  limit_request_body: '20M',
  raw_env: { SITE_NAME: 'Examples' },
}

export { config as default }

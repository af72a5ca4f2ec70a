/**
 * The one table of errors and warnings. Pages, `monoceros explain` and the type of codes follow
 * from it. A code is never used again for something else, also when its row is gone.
 */
import { loadingRows } from './areas/loading.ts'
import { processesRows } from './areas/processes.ts'
import { requestsRows } from './areas/requests.ts'
import { servicesRows } from './areas/services.ts'
import { settingsRows } from './areas/settings.ts'
import { startRows } from './areas/start.ts'
import { toolsRows } from './areas/tools.ts'

export const TABLE = {
  ...settingsRows,
  ...loadingRows,
  ...startRows,
  ...requestsRows,
  ...processesRows,
  ...toolsRows,
  ...servicesRows,
} as const

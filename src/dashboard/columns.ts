/**
 * What the history of the dashboard keeps of each moment. Rates are a second, times are seconds,
 * sizes are bytes, processor time is in processors. NaN (null in JSON) is what nobody knows: a
 * percentile without a request, for example.
 */
export const COLUMNS = [
  // Requests that ended, by the class of their status.
  'status1xx',
  'status2xx',
  'status3xx',
  'status4xx',
  'status5xx',
  // From the head until the last byte.
  'totalP50',
  'totalP95',
  'totalP99',
  // Waiting for a worker.
  'queueP50',
  'queueP95',
  'queueP99',
  // In the application.
  'applicationP50',
  'applicationP95',
  'applicationP99',
  'inProgress',
  'waiting',
  'received',
  'sent',
  'connectionsActive',
  'connectionsIdle',
  'refused',
  'workersBusy',
  'workersServing',
  'workersWanted',
  'restarts',
  'memoryArbiter',
  'memoryAcceptors',
  'memoryWorkers',
  'cpuArbiter',
  'cpuAcceptors',
  'cpuWorkers',
  'held',
  'spooled',
  'delayP99',
  'errorsLogged',
  'ready',
] as const

export type Column = (typeof COLUMNS)[number]

/** The values of one moment. */
export type Sample = Readonly<Record<Column, number>>

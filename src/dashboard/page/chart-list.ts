import type { Column } from '../columns.ts'
import type { Unit } from './format.ts'

export interface ChartSeries {
  readonly name: string
  /** Several are added up. */
  readonly columns: readonly Column[]
  /** A variable of the style sheet. */
  readonly colour: `--c${1 | 2 | 3 | 4 | 5 | 6}`
  /** So that a line can be told from others without its colour. */
  readonly dash?: readonly number[]
}

export interface ChartDefinition {
  readonly title: string
  readonly unit: Unit
  readonly about: string
  readonly series: readonly ChartSeries[]
}

const DASHED = [6, 4]
const DOTTED = [2, 3]

export const charts: readonly ChartDefinition[] = [
  {
    title: 'Throughput',
    unit: 'rate',
    about: 'Requests that ended in a second, by the class of their status',
    series: [
      {
        name: 'all',
        columns: ['status1xx', 'status2xx', 'status3xx', 'status4xx', 'status5xx'],
        colour: '--c1',
      },
      { name: '2xx', columns: ['status2xx'], colour: '--c3', dash: DASHED },
      { name: '3xx', columns: ['status3xx'], colour: '--c6', dash: DOTTED },
      { name: '4xx', columns: ['status4xx'], colour: '--c2' },
      { name: '5xx', columns: ['status5xx'], colour: '--c5' },
    ],
  },
  {
    title: 'Time in the queue',
    unit: 'seconds',
    about: 'How long requests waited for a worker',
    series: [
      { name: 'median', columns: ['queueP50'], colour: '--c3', dash: DOTTED },
      { name: '95 %', columns: ['queueP95'], colour: '--c1', dash: DASHED },
      { name: '99 %', columns: ['queueP99'], colour: '--c5' },
    ],
  },
  {
    title: 'Time in the application',
    unit: 'seconds',
    about: 'From when a worker could begin until it had given its response',
    series: [
      { name: 'median', columns: ['applicationP50'], colour: '--c3', dash: DOTTED },
      { name: '95 %', columns: ['applicationP95'], colour: '--c1', dash: DASHED },
      { name: '99 %', columns: ['applicationP99'], colour: '--c5' },
    ],
  },
  {
    title: 'Time in all',
    unit: 'seconds',
    about: 'From the head of the request until the last byte of the response',
    series: [
      { name: 'median', columns: ['totalP50'], colour: '--c3', dash: DOTTED },
      { name: '95 %', columns: ['totalP95'], colour: '--c1', dash: DASHED },
      { name: '99 %', columns: ['totalP99'], colour: '--c5' },
    ],
  },
  {
    title: 'Requests',
    unit: 'count',
    about: 'Those in progress, and those of them that wait for a worker',
    series: [
      { name: 'in progress', columns: ['inProgress'], colour: '--c1' },
      { name: 'waiting', columns: ['waiting'], colour: '--c2', dash: DASHED },
    ],
  },
  {
    title: 'Workers',
    unit: 'count',
    about: 'Those that serve, those at work, and how many there should be',
    series: [
      { name: 'busy', columns: ['workersBusy'], colour: '--c2' },
      { name: 'serving', columns: ['workersServing'], colour: '--c3', dash: DASHED },
      { name: 'wanted', columns: ['workersWanted'], colour: '--c4', dash: DOTTED },
      { name: 'ended', columns: ['restarts'], colour: '--c5' },
    ],
  },
  {
    title: 'Connections',
    unit: 'count',
    about: 'Connections of clients that are open',
    series: [
      { name: 'active', columns: ['connectionsActive'], colour: '--c1' },
      { name: 'idle', columns: ['connectionsIdle'], colour: '--c6', dash: DASHED },
    ],
  },
  {
    title: 'Memory',
    unit: 'bytes',
    about: 'Resident memory of the processes',
    series: [
      { name: 'workers', columns: ['memoryWorkers'], colour: '--c1' },
      { name: 'acceptors', columns: ['memoryAcceptors'], colour: '--c2', dash: DASHED },
      { name: 'arbiter', columns: ['memoryArbiter'], colour: '--c4', dash: DOTTED },
    ],
  },
  {
    title: 'Processors',
    unit: 'processors',
    about: 'Processor time of the processes; 100 % is one processor',
    series: [
      { name: 'workers', columns: ['cpuWorkers'], colour: '--c1' },
      { name: 'acceptors', columns: ['cpuAcceptors'], colour: '--c2', dash: DASHED },
      { name: 'arbiter', columns: ['cpuArbiter'], colour: '--c4', dash: DOTTED },
    ],
  },
  {
    title: 'Bodies',
    unit: 'bytes-rate',
    about: 'Bytes of bodies in a second',
    series: [
      { name: 'sent', columns: ['sent'], colour: '--c1' },
      { name: 'received', columns: ['received'], colour: '--c2', dash: DASHED },
    ],
  },
  {
    title: 'Held for clients',
    unit: 'bytes',
    about: 'Bodies in memory and in temporary files',
    series: [
      { name: 'memory', columns: ['held'], colour: '--c1' },
      { name: 'files', columns: ['spooled'], colour: '--c2', dash: DASHED },
    ],
  },
  {
    title: 'Event loops',
    unit: 'seconds',
    about: 'How late the acceptors are, at the 99th percentile',
    series: [{ name: '99 %', columns: ['delayP99'], colour: '--c4' }],
  },
]

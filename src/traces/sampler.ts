import { coded } from '../messages/coded.ts'
import { TraceSettingsError } from './trace-settings-error.ts'

/** Decides whether a trace is recorded; see `Sampler` in `edge/tracing/`, which calls it. */
type Sample = (traceId: string, parent: boolean | null) => boolean

const always: Sample = () => true
const never: Sample = () => false

/** The trace is recorded if its sender records it; `root` decides if it begins here. */
function parentBased(root: Sample): Sample {
  return (traceId, parent) => parent ?? root(traceId, null)
}

/**
 * Records this part of all traces. The last 56 bits of a trace's id decide, which are random: so
 * all services with the same ratio choose the same traces (W3C Trace Context level 2, "Random Trace
 * ID Flag").
 */
function byRatio(ratio: number): Sample {
  if (ratio >= 1) return always
  if (ratio <= 0) return never
  // 52 of the 56 bits: they fit into a number.
  const bound = 2 ** 52 - Math.floor(ratio * 2 ** 52)
  return (traceId) => Number.parseInt(traceId.slice(18, 31), 16) >= bound
}

/**
 * Makes the sampler that the settings ask for.
 *
 * @param ratio `trace_sample`; null for what the environment says (`OTEL_TRACES_SAMPLER`)
 * @throws TraceSettingsError
 */
export function makeSampler(ratio: string | null, env: NodeJS.ProcessEnv): Sample {
  if (ratio !== null) return parentBased(byRatio(Number(ratio)))
  const name = env.OTEL_TRACES_SAMPLER || 'parentbased_always_on'
  switch (name) {
    case 'always_on':
      return always
    case 'always_off':
      return never
    case 'traceidratio':
      return byRatio(ratioOf(env))
    case 'parentbased_always_on':
      return parentBased(always)
    case 'parentbased_always_off':
      return parentBased(never)
    case 'parentbased_traceidratio':
      return parentBased(byRatio(ratioOf(env)))
    default:
      throw new TraceSettingsError(
        coded(
          'MONO8401',
          `OTEL_TRACES_SAMPLER=${name} is not supported: use always_on, always_off, ` +
            'traceidratio, or one of these after parentbased_; or trace_sample',
        ),
      )
  }
}

function ratioOf({ OTEL_TRACES_SAMPLER_ARG: text = '' }: NodeJS.ProcessEnv): number {
  if (text === '') return 1
  const ratio = Number(text)
  if (ratio >= 0 && ratio <= 1) return ratio
  throw new TraceSettingsError(
    coded('MONO8401', `OTEL_TRACES_SAMPLER_ARG=${text} is no ratio: expected a number from 0 to 1`),
  )
}

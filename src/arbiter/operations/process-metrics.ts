import { CpuBySlot, Slots } from '../../metrics/processes.ts'
import type { Series, Snapshot } from '../../metrics/snapshot.ts'
import type { ArbiterEvents } from '../../observe/arbiter-events.ts'
import { usageOf } from '../control/process-usage.ts'

const KINDS = ['arbiter', 'acceptor', 'worker'] as const
type Kind = (typeof KINDS)[number]

/** The memory and processor time of the server's processes. */
export class ProcessMetrics {
  readonly slots: Readonly<Record<Kind, Slots>> = {
    arbiter: new Slots(),
    acceptor: new Slots(),
    worker: new Slots(),
  }
  readonly #cpu: Readonly<Record<Kind, CpuBySlot>> = {
    arbiter: new CpuBySlot(),
    acceptor: new CpuBySlot(),
    worker: new CpuBySlot(),
  }

  constructor(events: ArbiterEvents) {
    const { arbiter, acceptor, worker } = this.slots
    arbiter.take(process.pid)
    events.acceptorStarted.subscribe(({ pid }) => acceptor.take(pid))
    events.acceptorEnded.subscribe(({ pid }) => acceptor.free(pid))
    events.workerStarted.subscribe(({ pid }) => worker.take(pid))
    events.workerEnded.subscribe(({ pid }) => worker.free(pid))
  }

  snapshot(): Snapshot {
    const memory: Series[] = []
    const cpu: Series[] = []
    for (const kind of KINDS) {
      const seen = new Set<number>()
      for (const [pid, slot] of this.slots[kind].all) {
        const usage = usageOf(pid)
        // An embedded worker has no process of its own.
        if (usage === null) continue
        seen.add(slot)
        const labels = [kind, String(slot)]
        memory.push({ labels, value: usage.memory })
        cpu.push({ labels, value: this.#cpu[kind].seen(slot, pid, usage.cpu) })
      }
      for (const [slot, seconds] of this.#cpu[kind].others(seen))
        cpu.push({ labels: [kind, String(slot)], value: seconds })
    }
    return {
      monoceros_process_resident_memory_bytes: memory,
      monoceros_process_cpu_seconds_total: cpu,
    }
  }
}

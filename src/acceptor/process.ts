/** The program that the arbiter starts for each acceptor. */
import { processName, setProcessTitle } from '../process/process-title.ts'
import { runtimeOf } from '../settings/runtime.ts'
import { Acceptor } from './acceptor.ts'
import { runAcceptorProcess } from './acceptor-process.ts'
import { forgetAllocator } from './allocator.ts'

forgetAllocator(process.env)

runAcceptorProcess(process, ({ listeners, ...start }, log, arbiter) => {
  const { settings } = start
  setProcessTitle(runtimeOf(settings) === 'node' ? 'worker' : 'acceptor', processName(settings))
  return new Acceptor({ ...start, fds: listeners, log, arbiter })
})

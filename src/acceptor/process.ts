/** The program that the arbiter starts for each acceptor. */
import { Acceptor } from './acceptor.ts'
import { runAcceptorProcess } from './acceptor-process.ts'
import { forgetAllocator } from './allocator.ts'

forgetAllocator(process.env)

runAcceptorProcess(process, ({ listeners, ...start }, log, arbiter) => {
  return new Acceptor({ ...start, fds: listeners, log, arbiter })
})

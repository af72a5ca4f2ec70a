/** The program that the arbiter starts for each acceptor. */
import { Acceptor } from './acceptor.ts'
import { runAcceptorProcess } from './acceptor-process.ts'
import { forgetAllocator } from './allocator.ts'

forgetAllocator(process.env)

runAcceptorProcess(process, ({ settings, listeners, workers, tmpDir, stackFd }, log, arbiter) => {
  return new Acceptor({ settings, fds: listeners, log, workers, tmpDir, stackFd, arbiter })
})

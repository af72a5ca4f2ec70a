// Process 0 is the group of the one that signals, so the whole run would end, and say nothing. A
// number that was read from a file that is still empty is 0.

const kill = process.kill.bind(process)

process.kill = (pid, signal) => {
  if (pid === 0) throw new Error('process.kill(0) would end this run: there was no pid yet')
  return kill(pid, signal)
}

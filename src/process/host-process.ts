/** The process that a program of ours runs in; `process` itself, except in tests. */
export interface HostProcess extends Pick<NodeJS.EventEmitter, 'on'> {
  readonly pid: number
  exit(code: number): void
}

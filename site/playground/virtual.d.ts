declare module 'virtual:tutorial' {
  /** The programs of the tutorial by their names. */
  export const tutorialFiles: Readonly<Record<string, string>>
  /** The tasks of the tutorial by the numbers of their steps. */
  export const tutorialTasks: Readonly<Record<number, string>>
}

declare module '*.css' {
  const text: string
  // biome-ignore lint/style/noDefaultExport: what bundlers make of a text
  export default text
}

// The server's modules are written for the types of Node.js.
interface RequestInit {
  duplex?: 'half'
}

interface Performance {
  eventLoopUtilization(...before: unknown[]): { utilization: number; idle: number; active: number }
}

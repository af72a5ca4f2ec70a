/** Builds the playground into a folder; what is there is replaced. */
export function buildPlayground(folder: string): Promise<void>

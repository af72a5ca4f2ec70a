export function tutorialTasks(markdown: string): Record<number, string>

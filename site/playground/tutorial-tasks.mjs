/**
 * The tasks of the tutorial, as its page has them: what stands behind "Your task." at the end of
 * each section whose heading begins with the number of a step.
 *
 * @param {string} markdown the page
 * @returns {Record<number, string>} a line of text each, with `code` in back quotes
 * @throws Error if a step has no task
 */
export function tutorialTasks(markdown) {
  const tasks = {}
  for (const section of markdown.split(/^## /m)) {
    const number = /^\d+(?=\. )/.exec(section)?.[0]
    if (number === undefined) continue
    const task = /^\*\*Your task\.\*\*\n((?:.+\n)+)/m.exec(section)?.[1]
    if (task === undefined) throw new Error(`step ${number} of the tutorial has no task`)
    tasks[number] = task.trimEnd().replaceAll('\n', ' ')
  }
  return tasks
}

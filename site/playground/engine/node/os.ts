/** `node:os` in a page. */

export const availableParallelism = () => navigator.hardwareConcurrency
export const hostname = () => 'localhost'

/** The levels of Python's logging, which LOG frames carry. */
export const DEBUG = 10
export const INFO = 20
export const WARNING = 30
export const ERROR = 40

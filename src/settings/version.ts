/**
 * The version of this package. A literal, and not read from package.json, so that this module also
 * works in a bundle and costs no file to import; a test compares the two.
 */
export const version: string = '0.1.0'

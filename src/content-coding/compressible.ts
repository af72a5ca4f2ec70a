/**
 * Types that compress well. Web fonts (woff), images, audio, video and archives are compressed
 * already.
 */
const COMPRESSIBLE =
  /^(?:text\/(?!event-stream)|(?:application|image|model|message|multipart)\/[\w.-]+\+(?:json|xml|text)$|application\/(?:json|ld\+json|javascript|ecmascript|x-javascript|xml|xml-dtd|wasm|rtf|toml|yaml|x-yaml|sql|graphql|manifest|x-ndjson|ndjson|jsonl|json-seq|x-sh|x-tar|tar|postscript|x-web-app-manifest|vnd\.ms-fontobject|x-font-ttf|x-font-opentype)$|font\/(?:ttf|otf|sfnt|collection)$|image\/(?:bmp|x-ms-bmp|x-icon|vnd\.microsoft\.icon|svg\+xml)$)/

/**
 * Whether a body with this Content-Type is worth compressing.
 *
 * @example isCompressible('text/html; charset=utf-8') // true
 * @example isCompressible('image/png') // false
 */
export function isCompressible(contentType: string): boolean {
  const end = contentType.indexOf(';')
  const type = (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
  return COMPRESSIBLE.test(type)
}

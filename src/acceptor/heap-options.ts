/**
 * Options of V8 for acceptors whose application runs in worker processes. Such an acceptor has a
 * heap of about 10 MB, but reads many bodies into memory outside of it, and V8 collects the whole
 * heap each time that some 30 MB of such memory have been given up.
 *
 * - V8 would do that on several threads. For so small a heap, starting and ending their work takes
 *   longer than the work.
 * - V8 would decide in the first second, once in five starts or so, that the arrays of a head live
 *   long, and allocate them in the space of old objects from then on. With every request it would
 *   grow, and what such garbage refers to would be kept as well: 20 MB more of heap.
 * - Space for new objects would grow to three times 16 MB, though few outlive their request.
 *   Streams of HTTP/2 do: with TLS, the space stays as it is.
 *
 * An acceptor that runs the application itself has V8's defaults, because the application may need
 * any of that.
 */
const ONE_THREAD = '--single-threaded-gc'
const NEW_OBJECTS_ARE_YOUNG = '--no-allocation-site-pretenuring'
const SMALL_SPACE = '--max-semi-space-size=4'

/** Names an option with which users say themselves how much space new objects get. */
const OWN = /--(?:max|min)[-_]semi[-_]space[-_]size/

/**
 * Options for the command of an acceptor. They come before those of the user, who can set others.
 *
 * @param nodeOptions the variable `NODE_OPTIONS`, which an option of a command would override
 * @param secure it has TLS, so its clients may use HTTP/2
 */
export function heapOptions(nodeOptions: string | undefined, secure: boolean): readonly string[] {
  const always = [ONE_THREAD, NEW_OBJECTS_ARE_YOUNG]
  return secure || OWN.test(nodeOptions ?? '') ? always : [...always, SMALL_SPACE]
}

import type { ConditionalFields } from '../../semantics/preconditions.ts'
import type { WSGIEnvironment } from '../../wsgi/types.ts'

/** The headers of a request that make it conditional. */
export function conditionalFields(environ: WSGIEnvironment): ConditionalFields {
  return {
    ifMatch: environ.HTTP_IF_MATCH,
    ifNoneMatch: environ.HTTP_IF_NONE_MATCH,
    ifModifiedSince: environ.HTTP_IF_MODIFIED_SINCE,
    ifUnmodifiedSince: environ.HTTP_IF_UNMODIFIED_SINCE,
    cacheControl: environ.HTTP_CACHE_CONTROL,
  }
}

import type { Protocol } from '../http/connection.ts'
import { h1 } from '../http/h1/protocol.ts'
import type { Settings } from '../settings/table.ts'

/** The versions of HTTP that an acceptor speaks. */
export interface Protocols {
  /** Without TLS. */
  readonly plain: Protocol
  /** With TLS, for clients that choose HTTP/2 (ALPN); null if it is not offered. */
  readonly h2: Protocol | null
}

/** Loads what the settings ask for: without HTTP/2, nothing of it. */
export async function protocols(settings: Settings, secure: boolean): Promise<Protocols> {
  const { http2, h2c } = settings
  if (!h2c && !(http2 && secure)) return { plain: h1, h2: null }
  const [{ h2: http2Protocol }, { byPreface }] = await Promise.all([
    import('../http/h2/protocol.ts'),
    import('../http/h2/by-preface.ts'),
  ])
  const h2 = http2Protocol({
    maxConcurrentStreams: settings.http2MaxConcurrentStreams,
    initialWindowSize: settings.http2InitialWindowSize,
    maxFrameSize: settings.http2MaxFrameSize,
    maxHeaderListSize: settings.http2MaxHeaderListSize,
  })
  return { plain: h2c ? byPreface(h2, h1) : h1, h2: http2 ? h2 : null }
}

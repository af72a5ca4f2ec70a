/** Where the script and the stream of events are; the gateway never sees requests for them. */
export const SCRIPT_PATH = '/__monoceros/reload.js'
export const EVENTS_PATH = '/__monoceros/reload'

/**
 * The script that refreshes a page. Its address has the version of the page.
 *
 * It is connected only while the page is visible: a browser has few connections for each server,
 * and many tabs would use them up. It refreshes a page once for each version, in case the page
 * comes from a cache and is older than the server for ever.
 */
export const REFRESH_SCRIPT = `(() => {
  'use strict'
  const script = document.currentScript
  if (script === null || window.__monocerosReload) return
  window.__monocerosReload = true
  const address = new URL(script.src)
  let version = Number(address.searchParams.get('v'))
  let source = null
  const refresh = (current) => {
    if (current <= version) return
    try {
      if (Number(sessionStorage.getItem('monoceros-reload')) >= current) return
      sessionStorage.setItem('monoceros-reload', String(current))
    } catch {}
    location.reload()
  }
  const restyle = (current, file) => {
    const links = [...document.querySelectorAll('link[rel~="stylesheet"]')].filter(
      (link) => new URL(link.href).pathname.endsWith('/' + file),
    )
    if (links.length === 0) return refresh(current)
    version = current
    for (const link of links) {
      const fresh = link.cloneNode()
      const url = new URL(link.href)
      url.searchParams.set('monoceros', String(current))
      fresh.href = url.href
      fresh.addEventListener('load', () => link.remove(), { once: true })
      link.after(fresh)
    }
  }
  const connect = () => {
    if (document.visibilityState === 'hidden') {
      source?.close()
      source = null
      return
    }
    if (source !== null) return
    source = new EventSource(address.pathname.replace(/\\.js$/, ''))
    source.addEventListener('version', (event) => refresh(Number(event.data)))
    source.addEventListener('style', (event) => {
      const change = JSON.parse(event.data)
      restyle(change.version, change.file)
    })
    source.addEventListener('replaced', () => {
      source.close()
      source = null
      connect()
    })
  }
  document.addEventListener('visibilitychange', connect)
  addEventListener('pagehide', () => {
    source?.close()
    source = null
  })
  addEventListener('pageshow', connect)
  connect()
})()
`

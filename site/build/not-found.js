// A server shows 404.html for any address, and its own addresses are relative. So the page goes to
// where it lies, which is found by asking each folder above.
;(async () => {
  const name = '404.html'
  if (location.pathname.endsWith(`/${name}`)) return
  const folders = location.pathname.split('/').slice(1, -1)
  for (let depth = 0; depth <= folders.length; depth++) {
    const page = `${['', ...folders.slice(0, depth)].join('/')}/${name}`
    const answer = await fetch(page, { method: 'HEAD' }).catch(() => null)
    if (answer?.ok) return location.replace(`${page}#${location.pathname}`)
  }
})()

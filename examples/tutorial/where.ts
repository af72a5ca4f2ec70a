import type { WSGIFunction } from 'monoceros'

export const app: WSGIFunction = ({ SCRIPT_NAME, PATH_INFO }, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
  return [new TextEncoder().encode(`mounted at '${SCRIPT_NAME}', asked for '${PATH_INFO}'\n`)]
}

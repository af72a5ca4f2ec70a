from werkzeug.middleware.dispatcher import DispatcherMiddleware

import hello
import where

app = DispatcherMiddleware(where.app, {
    "/hello": hello.app,
    "/docs": where.app,
    "/docs/api": where.app,
})

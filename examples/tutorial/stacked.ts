import { compose, requestId } from 'monoceros'
import { Append } from './append.ts'
import { app as hello } from './hello.ts'

const stack = compose(requestId({ trust: true }), (app) => new Append(app, 'Greeted by WSGI.\n'))

export const app = stack(hello)

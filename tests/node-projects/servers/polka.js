import { toNodeHandler } from 'monoceros'
import polka from 'polka'
import { shop, site, started } from './applications.js'

const app = polka()
app.use('/py', toNodeHandler(shop))
app.use('/ts', toNodeHandler(site))

app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => started(app.server))

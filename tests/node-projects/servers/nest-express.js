import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { toNodeHandler } from 'monoceros'
import { shop, site, started } from './applications.js'

class AppModule {}
Module({})(AppModule) // with decorators: @Module({}) class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
app.use('/py', toNodeHandler(shop)) // before listen(), which adds Nest's body parsers
app.use('/ts', toNodeHandler(site))

await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
started(app.getHttpServer())

import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { toFastifyPlugin } from 'monoceros'
import { shop, site, started } from './applications.js'

class AppModule {}
Module({})(AppModule) // with decorators: @Module({}) class AppModule {}

const app = await NestFactory.create(AppModule, new FastifyAdapter(), { logger: ['error', 'warn'] })
await app.register(toFastifyPlugin(shop), { prefix: '/py' })
await app.register(toFastifyPlugin(site), { prefix: '/ts' })

await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
started(app.getHttpServer())

import { describe, expect, it } from 'vitest'
import { exportOptions } from './otel-environment.ts'
import { resourceOf } from './resource.ts'

describe('the endpoint', () => {
  it.each([
    ['http://c:4318', {}, 'http://c:4318/v1/traces'],
    ['http://c:4318/', {}, 'http://c:4318/v1/traces'],
    ['http://c/otlp', {}, 'http://c/otlp/v1/traces'],
    ['https://c/x/v1/traces', {}, 'https://c/x/v1/traces'],
    ['http://c', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://d' }, 'http://c/v1/traces'],
    ['env', {}, 'http://localhost:4318/v1/traces'],
    ['env', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://d/' }, 'http://d/v1/traces'],
    ['env', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://e/exact' }, 'http://e/exact'],
  ])('%s with %j is %s', (endpoint, env, url) => {
    expect(exportOptions(endpoint, env).url.href).toBe(url)
  })
})

it('has the defaults of OpenTelemetry', () => {
  expect(exportOptions('env', {})).toMatchObject({
    headers: {},
    protocol: 'http/protobuf',
    gzip: false,
    timeout: 10_000,
    delay: 5000,
    mostInBatch: 512,
  })
})

it('prefers the variables for traces', () => {
  const env = {
    OTEL_EXPORTER_OTLP_HEADERS: 'a=1',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=2%2C3, c=',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_TIMEOUT: '200',
  }
  expect(exportOptions('env', env)).toMatchObject({
    headers: { b: '2,3', c: '' },
    protocol: 'http/json',
    gzip: true,
    timeout: 200,
  })
})

it('takes a variable for another SDK as one, if the URL is given', () => {
  const env = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }
  expect(exportOptions('http://c', env).protocol).toBe('http/protobuf')
})

describe('what cannot be used is named, and secrets are not', () => {
  it.each([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT=c:4318 is no URL'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'secret' }, 'expected KEY=VALUE'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a b=c' }, 'a b is no valid header'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=%0d%0ax' }, 'a is no valid header'],
    [{ OTEL_EXPORTER_OTLP_HEADERS: 'a=%zz' }, 'expected KEY=VALUE'],
    [{ OTEL_EXPORTER_OTLP_COMPRESSION: 'br' }, 'OTEL_EXPORTER_OTLP_COMPRESSION=br'],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '1.5' }, 'OTEL_EXPORTER_OTLP_TIMEOUT=1.5'],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: '-1' }, 'OTEL_BSP_MAX_QUEUE_SIZE=-1'],
    [{ OTEL_EXPORTER_OTLP_CERTIFICATE: '/no/such' }, 'cannot be read'],
  ])('%j', (env, message) => {
    expect(() => exportOptions('env', env)).toThrow(message)
    expect(() => exportOptions('env', env)).not.toThrow(/secret/)
  })
})

it('names the service as the environment says, or after the application', () => {
  const named = (env: NodeJS.ProcessEnv) => new Map(resourceOf('shop', '1', env))
  expect(named({}).get('service.name')).toBe('shop')
  const attributes = { OTEL_RESOURCE_ATTRIBUTES: 'service.name=a,team=b%20c' }
  expect(named(attributes).get('service.name')).toBe('a')
  expect(named(attributes).get('team')).toBe('b c')
  expect(named({ ...attributes, OTEL_SERVICE_NAME: 'z' }).get('service.name')).toBe('z')
})

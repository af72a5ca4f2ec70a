/**
 * The test client: calls an application without a socket. It is not part of the main entry, so that
 * a program that is no test does not load it.
 *
 * @example
 * import { expect, test } from 'vitest'
 * import { testClient } from 'monoceros/testing'
 * import { app } from './app.ts'
 *
 * test('the shop greets', async () => {
 *   const response = await testClient(app).get('/')
 *   expect(response.status).toBe(200)
 * })
 */

export type { MultipartForm, TestFile, TestPart } from './testing/multipart.ts'
export type { NameValues, StreamedBody } from './testing/request-content.ts'
export {
  type TestClient,
  type TestClientOptions,
  type TestCredentials,
  type TestRequestHeaders,
  type TestRequestOptions,
  testClient,
} from './testing/test-client.ts'
export { TestClientError, type TestClientErrorCode } from './testing/test-client-error.ts'
export type { TestCookie, TestCookieOptions, TestCookies } from './testing/test-cookies.ts'
export type { TestRequestInfo, TestResponse } from './testing/test-response.ts'

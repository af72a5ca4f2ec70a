import { type Difference, type PepCase, serving, type TypeScriptDifference } from '../case.ts'
import { type Probe, summary } from '../probe.ts'

const kinds: readonly (Pick<PepCase, 'id' | 'rule' | 'level' | 'section'> & {
  app: string
  /** In `typescript/`. */
  typescriptApp: string
  answers: string
  gunicorn?: Difference
  typescript?: TypeScriptDifference
})[] = [
  {
    id: 'application-class',
    section: 'Specification Overview',
    level: 'must',
    rule: 'A class is an application; its instances are the iterables.',
    app: 'cases.callables:AppClass',
    typescriptApp: 'callables.ts:AppClass',
    answers: 'class',
    typescript: {
      sees: 'not served',
      because: 'language',
      why:
        'A class must be called with `new`, so it is not an application: the server refuses ' +
        'to start and says why. An instance with a method `wsgi` is an application.',
    },
  },
  {
    id: 'application-instance',
    section: 'Specification Overview',
    level: 'must',
    rule:
      'An instance with __call__ is an application; the server uses no other attribute of ' + 'it.',
    app: 'cases.callables:opaque',
    typescriptApp: 'callables.ts:opaque',
    answers: 'opaque',
  },
  {
    id: 'application-partial',
    section: 'Specification Overview',
    level: 'must',
    rule: 'A callable without a __name__ is an application.',
    app: 'cases.callables:partial',
    typescriptApp: 'callables.ts:partial',
    answers: 'partial',
  },
  {
    id: 'application-method',
    section: 'Application Configuration',
    level: 'may',
    rule:
      'A method of an object in the module can be the application: its name is written ' +
      'with a dot.',
    app: 'cases.callables:instance.method',
    typescriptApp: 'callables.ts:instance.method',
    answers: 'method',
    gunicorn: {
      sees: 'not served',
      weAre: 'choice',
      why: 'How applications are named is up to the server.',
    },
  },
  {
    id: 'application-factory',
    section: 'Application Configuration',
    level: 'may',
    rule: 'The application can be the return value of a function in the module.',
    app: 'cases.callables:factory()',
    typescriptApp: 'callables.ts:factory()',
    answers: 'factory',
  },
  {
    id: 'application-factory-arguments',
    section: 'Application Configuration',
    level: 'may',
    rule: 'The function can be called with literal arguments.',
    app: 'cases.callables:factory("other name")',
    typescriptApp: 'callables.ts:factory("other name")',
    answers: 'other name',
  },
  {
    id: 'application-default',
    section: 'Application Configuration',
    level: 'may',
    rule: 'Without a name, the application is the module\u2019s `application`.',
    app: 'cases.named_application',
    typescriptApp: 'named-application.ts',
    answers: 'application',
  },
  {
    id: 'application-default-app',
    section: 'Application Configuration',
    level: 'may',
    rule: 'If the module has no `application`, its `app` is the application.',
    app: 'cases.named_app',
    typescriptApp: 'named-app.ts',
    answers: 'app',
    gunicorn: {
      sees: 'not served',
      weAre: 'choice',
      why: 'How applications are named is up to the server.',
    },
  },
]

/**
 * What an application under `wsgiref.validate.validator` answers, and whether the validator
 * complained in the log.
 */
async function validated(
  probe: Probe,
  app: string,
  options: Parameters<Probe['ask']>[1],
): Promise<string> {
  const from = probe.server.log().length
  const response = await probe.ask(app, options)
  await probe.settled()
  const log = probe.server.log().slice(from)
  const complaint =
    /(AssertionError|WSGIWarning|WSGIError|garbage collected without being closed).*/.exec(log)
  const seen = options?.method === 'HEAD' ? String(response.status) : summary(response)
  return complaint ? `${seen}, ${complaint[0]}` : seen
}

export const callableCases: readonly PepCase[] = [
  ...kinds.map(
    ({ app, typescriptApp, answers, ...rest }): PepCase => ({
      ...rest,
      on: serving(app, typescriptApp),
      run: async (probe) => summary(await probe.ask('-')),
      expect: `200 OK: ${JSON.stringify(answers)}`,
    }),
  ),
  {
    id: 'validator-get',
    section: 'Specification Details',
    level: 'must',
    rule: 'The standard library\u2019s validator finds no fault with a GET request.',
    run: (probe) => validated(probe, 'validated_plain', { target: '/a?b=c' }),
    expect: '200 OK: "valid "',
  },
  {
    id: 'validator-post',
    section: 'Specification Details',
    level: 'must',
    rule: 'The validator finds no fault with a POST request that has a body.',
    run: (probe) => validated(probe, 'validated_plain', { method: 'POST', body: 'body' }),
    expect: '200 OK: "valid body"',
  },
  {
    id: 'validator-head',
    section: 'Specification Details',
    level: 'must',
    rule: 'The validator finds no fault with a HEAD request.',
    run: (probe) => validated(probe, 'validated_plain', { method: 'HEAD' }),
    expect: '200',
  },
  {
    id: 'validator-streaming',
    section: 'Specification Details',
    level: 'must',
    rule: 'The validator finds no fault when the application reads lines and yields chunks.',
    run: (probe) => validated(probe, 'validated_streaming', { method: 'PUT', body: 'one\ntwo\n' }),
    expect: `200 OK: ${JSON.stringify('valid one\ntwo\n')}`,
  },
  {
    id: 'validator-write',
    section: 'Specification Details',
    level: 'must',
    rule: 'The validator finds no fault when the application uses write().',
    run: (probe) => validated(probe, 'validated_writing', {}),
    expect: '200 OK: "valid written"',
  },
]

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
        'A class is called with `new`, so it is no application: the command says so at its ' +
        'start. An instance with a method `wsgi` is one.',
    },
  },
  {
    id: 'application-instance',
    section: 'Specification Overview',
    level: 'must',
    rule: 'An instance with __call__ is one, and nothing else is asked of it.',
    app: 'cases.callables:opaque',
    typescriptApp: 'callables.ts:opaque',
    answers: 'opaque',
  },
  {
    id: 'application-partial',
    section: 'Specification Overview',
    level: 'must',
    rule: 'So is a callable without a name.',
    app: 'cases.callables:partial',
    typescriptApp: 'callables.ts:partial',
    answers: 'partial',
  },
  {
    id: 'application-method',
    section: 'Application Configuration',
    level: 'may',
    rule: 'A method of an object in the module can be named with a dot.',
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
    rule: 'The application can be what a function of the module returns.',
    app: 'cases.callables:factory()',
    typescriptApp: 'callables.ts:factory()',
    answers: 'factory',
  },
  {
    id: 'application-factory-arguments',
    section: 'Application Configuration',
    level: 'may',
    rule: 'That function can be given literal arguments.',
    app: 'cases.callables:factory("other name")',
    typescriptApp: 'callables.ts:factory("other name")',
    answers: 'other name',
  },
  {
    id: 'application-default',
    section: 'Application Configuration',
    level: 'may',
    rule: 'A module alone means its `application`.',
    app: 'cases.named_application',
    typescriptApp: 'named-application.ts',
    answers: 'application',
  },
  {
    id: 'application-default-app',
    section: 'Application Configuration',
    level: 'may',
    rule: 'Or, when it has none, its `app`.',
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
    rule: 'The standard library\u2019s validator has nothing to say about a GET.',
    run: (probe) => validated(probe, 'validated_plain', { target: '/a?b=c' }),
    expect: '200 OK: "valid "',
  },
  {
    id: 'validator-post',
    section: 'Specification Details',
    level: 'must',
    rule: 'Nor about a POST with a body.',
    run: (probe) => validated(probe, 'validated_plain', { method: 'POST', body: 'body' }),
    expect: '200 OK: "valid body"',
  },
  {
    id: 'validator-head',
    section: 'Specification Details',
    level: 'must',
    rule: 'Nor about a HEAD.',
    run: (probe) => validated(probe, 'validated_plain', { method: 'HEAD' }),
    expect: '200',
  },
  {
    id: 'validator-streaming',
    section: 'Specification Details',
    level: 'must',
    rule: 'Nor about an application that reads lines and yields chunks.',
    run: (probe) => validated(probe, 'validated_streaming', { method: 'PUT', body: 'one\ntwo\n' }),
    expect: `200 OK: ${JSON.stringify('valid one\ntwo\n')}`,
  },
  {
    id: 'validator-write',
    section: 'Specification Details',
    level: 'must',
    rule: 'Nor about one that uses write().',
    run: (probe) => validated(probe, 'validated_writing', {}),
    expect: '200 OK: "valid written"',
  },
]

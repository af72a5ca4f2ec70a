import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { commandPath, repository } from '../support/build.ts'
import { runToEnd } from '../support/running-server.ts'

// Runs the unit tests of the Python side on the embedded Python. (tests/e2e/python-units.test.ts
// runs them on the Pythons of this machine.)

const pythonSide = join(repository, 'python')

/** Unit tests that do not pass there. */
interface Difference {
  /** Their names, from the beginning. */
  readonly tests: string
  /** What is seen instead: the error, from its beginning, or `skipped`. */
  readonly sees: string
  /** What the embedded Python lacks. */
  readonly because:
    | 'threads'
    | 'sockets'
    | 'processes'
    | 'timers'
    | '/proc'
    | 'gevent'
    | 'lenient imports'
  readonly why: string
}

const noNetwork = 'OSError: [Errno 40] the embedded Python has no network'

const differences: readonly Difference[] = [
  {
    tests: 'tests.test_worker.',
    sees: noNetwork,
    because: 'processes',
    why:
      'They start a worker as a process and speak with it over sockets. The embedded worker ' +
      'is a thread of the acceptor.',
  },
  {
    tests:
      'tests.test_inspection.Profile.' +
      'test_short_requests_are_seen_too_where_a_processor_is_always_in_use',
    sees: 'skipped',
    because: 'processes',
    why: 'It chooses the processor of a process.',
  },
  {
    tests: 'tests.test_scheduling.',
    sees: 'skipped',
    because: 'processes',
    why: 'An embedded worker is a thread of the acceptor, and is scheduled with it.',
  },
  ...['Profile', 'Memory', 'SlowRequests'].map(
    (group): Difference => ({
      tests: `tests.test_inspection.${group}.test_`,
      sees: noNetwork,
      because: 'processes',
      why: 'They too speak with a worker that is a process.',
    }),
  ),
  {
    tests: 'tests.test_threaded.',
    sees: noNetwork,
    because: 'threads',
    why: 'The worker of several threads is never run there.',
  },
  ...['Serving', 'TimeOuts'].map(
    (group): Difference => ({
      tests: `tests.test_embedded.${group}.`,
      sees: "AttributeError: module 'signal' has no attribute 'setitimer'",
      because: 'timers',
      why:
        'They stand in for the acceptor, with a timer that raises its signals. ' +
        '`tests/embedded/pyodide-worker.test.ts` has the true one.',
    }),
  ),
  {
    tests:
      'tests.test_outbox.Holding.test_parts_arrive_whole_and_in_order_however_many_and_through_signals',
    sees: noNetwork,
    because: 'sockets',
    why:
      'It sends through a socket. The embedded worker puts frames into memory that it shares ' +
      'with the acceptor.',
  },
  {
    tests: 'tests.test_exchange.Environ.test_a_body_in_a_file_is_read_and_closed_at_the_end',
    sees: "AssertionError: b'' != b'from a file'",
    because: '/proc',
    why:
      'It opens a file by its descriptor of a process. The embedded worker reads the files ' +
      'of request bodies through the acceptor.',
  },
  {
    tests: 'tests.test_exchange.Files.test_a_renamed_file_is_still_described',
    sees: 'skipped',
    because: '/proc',
    why:
      'Without it a file that was renamed after it was opened is sent by the application ' +
      'itself.',
  },
  {
    tests: 'tests.test_exchange.Files.test_files_whose_size_their_system_does_not_know_are_read',
    sees: 'skipped',
    because: '/proc',
    why: 'It reads files of /proc and /sys, which are not there unless they are mounted.',
  },
  {
    tests: 'tests.test_loader.Loading.test_a_search_path_with_what_is_no_path',
    sees: `AssertionError: "there is no module 'nowhere_at_all'" not found`,
    because: 'lenient imports',
    why:
      "An import hook of Pyodide's raises for what is no string in sys.path, where the " +
      "system's Python passes over it.",
  },
  ...[
    'tests.test_preload.TestPreloadParent.',
    'tests.test_server_hooks.ServerHooksTest.',
    'tests.test_server_log.Configurations.',
    'tests.test_server_log.Loggers.test_the_level_is_that_of_the_server',
    'tests.test_server_log.Loggers.test_what_is_logged_reaches_the_acceptor_with_its_level',
    'tests.test_server_log.Metrics.',
    'tests.test_worker_hooks.WorkerHooksTest.',
  ].map(
    (tests): Difference => ({
      tests,
      sees: noNetwork,
      because: 'processes',
      why:
        'They start a worker, a preload parent or a config host as a process. ' +
        '`tests/embedded/python-config.test.ts` has what the embedded Python does instead.',
    }),
  ),
  ...[
    'byte_code_of_a_fresh_source_is_not_kept',
    'modules_of_requests_are_reported_once_also_broken_ones',
    'url_patterns_of_django_are_loaded_with_the_application',
    'without_reload_byte_code_is_kept',
  ].map(
    (name): Difference => ({
      tests: `tests.test_development.LoadingTest.test_${name}`,
      sees: 'OSError: [Errno 138] emscripten does not support processes',
      because: 'processes',
      why: 'They load an application in a fresh process.',
    }),
  ),
  {
    tests: 'tests.test_gevent_worker.Gevent.',
    sees: 'skipped',
    because: 'gevent',
    why: "gevent runs on the system's Python only.",
  },
  {
    tests: 'tests.test_inspection.Greenlets.',
    sees: 'skipped',
    because: 'gevent',
    why: "gevent runs on the system's Python only.",
  },
  {
    tests: 'tests.test_gevent_worker.Missing.',
    sees: noNetwork,
    because: 'gevent',
    why: "It starts a worker as a process of the system's Python.",
  },
  {
    tests: 'tests.test_init.InitTest.test_a_signal_between_two_servers_reaches_the_second',
    sees: 'skipped',
    because: 'processes',
    why: 'The first process of a container needs an installed Python.',
  },
  {
    tests: 'tests.test_process_title.ProcessTitle.test_without_it_the_short_name_changes',
    sees: 'skipped',
    because: '/proc',
    why: 'An embedded worker is a thread, so it has no name of its own.',
  },
  {
    tests: 'tests.test_preload.TestThreadStarts.test_only_those_that_run_are_named',
    sees: "RuntimeError: can't start new thread",
    because: 'threads',
    why: 'It starts threads. There is no preload parent there.',
  },
  {
    tests: 'tests.test_lending.WithGreenlets.',
    sees: 'skipped',
    because: 'gevent',
    why: "gevent runs on the system's Python only.",
  },
  ...['Broken', 'Lending', 'WithThreads'].map(
    (group): Difference => ({
      tests: `tests.test_lending.${group}.`,
      sees: noNetwork,
      because: 'sockets',
      why: 'Nothing is lent to the embedded worker, which is a thread of the acceptor.',
    }),
  ),
  ...[
    'Run.test_a_signal_that_ended_the_server_gives_the_shells_status',
    'Run.test_an_isolated_program_adds_no_folder',
    'Run.test_it_passes_the_settings_and_its_folder_and_returns',
    'Run.test_sigint_ends_with_keyboardinterrupt_when_the_server_has_ended',
    'Run.test_sigterm_is_passed_on_and_then_it_returns',
    'Run.test_the_status_of_a_server_that_could_not_start_is_the_programs',
    'Run.test_the_working_directory_is_searched_anyway',
    'ServerCommand.test_options_of_the_interpreter_hold_for_workers',
    'ServerCommand.test_variables_that_the_interpreter_ignores_do_not_reach_them',
    'Main.test_it_becomes_the_server_also_with_a_closed_output',
  ].map(
    (name): Difference => ({
      tests: `tests.test_command.${name}`,
      sees: 'OSError: [Errno 138] emscripten does not support processes',
      because: 'processes',
      why: 'They start the Node.js of the Python package, which has no embedded Python.',
    }),
  ),
  {
    tests: 'tests.test_command.FindNode.test_one_that_is_asked_for_is_found_on_path_or_by_its_path',
    sees: 'CommandError: MONOCEROS_NODE=node',
    because: 'processes',
    why: 'It asks a Node.js for its version.',
  },
  {
    tests: 'tests.test_command.FindNode.test_one_that_is_asked_for_is_refused_with_the_reason',
    sees: 'AssertionError',
    because: 'processes',
    why: 'It asks a Node.js for its version.',
  },
  {
    tests: 'tests.test_command.Version.test_it_is_that_of_package_json',
    sees: 'FileNotFoundError',
    because: 'processes',
    why: 'The manifest of the repository is outside of what is mounted there.',
  },
  ...['a_condition_wakes', 'threads_are_the_systems'].map(
    (name): Difference => ({
      tests: `tests.test_native.Native.test_${name}`,
      sees: "RuntimeError: can't start new thread",
      because: 'threads',
      why: 'They start threads. The embedded worker has none.',
    }),
  ),
]

function differenceOf(name: string): Difference | undefined {
  return differences.find(({ tests }) => name.startsWith(tests))
}

describe('the unit tests of the Python side on the embedded Python', () => {
  let outcomes: Record<string, string> = {}
  beforeAll(async () => {
    const program = join(import.meta.dirname, 'embedded-parity', 'units.py')
    const { code, stdout, stderr } = await runToEnd(
      process.execPath,
      [commandPath, 'python', program],
      {
        // No other Python is to be found.
        env: {
          PATH: '/nowhere',
          MONOCEROS_CACHE: process.env.MONOCEROS_CACHE,
          TMPDIR: process.env.TMPDIR,
        },
        cwd: pythonSide,
        timeout: 100_000,
      },
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    outcomes = JSON.parse(stdout) as Record<string, string>
  })

  test('pass, but for those that need what it lacks', () => {
    const unexpected = Object.entries(outcomes).filter(([name, outcome]) => {
      return !outcome.startsWith(differenceOf(name)?.sees ?? 'passed')
    })
    expect(Object.fromEntries(unexpected)).toEqual({})
  })

  test('are all found', () => {
    const files = readdirSync(join(pythonSide, 'tests')).filter((name) =>
      /^test_.*\.py$/.test(name),
    )
    const run = new Set(Object.keys(outcomes).map((name) => `${name.split('.')[1]}.py`))
    expect([...run].sort()).toEqual(files.sort())
  })

  test.each(differences)('$tests is still one that lacks $because', ({ tests }) => {
    const names = Object.keys(outcomes).filter((name) => differenceOf(name)?.tests === tests)
    expect(names.length).toBeGreaterThan(0)
  })
})

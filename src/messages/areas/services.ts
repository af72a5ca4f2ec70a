import type { MessageRow } from '../row.ts'

/** `MONO80xx`: logs. `81`: StatsD. `82`: `metrics_bind`. `83`: Redis. `84`: traces. */
export const servicesRows = {
  MONO8001: {
    title: 'A log file cannot be opened',
    level: 'error',
    line: 'Cannot open log file "…": …',
    cause: `The folder does not exist, or this user may not write there. At rotation, the old
      file stays in use.`,
    example: {
      run: 'monoceros --error-logfile /nowhere/error.log shop:app',
      shows: 'monoceros: Cannot open log file "/nowhere/error.log": …',
    },
    cure: `Make the folder, and give it to the user that starts the server. \`-\` stands for
      standard error.`,
    test: 'examples',
  },
  MONO8002: {
    title: 'Lines of a log were lost',
    level: 'warning',
    line: '… log entries could not be written',
    cause: 'The disk is full, or the program that reads the log through a pipe does not read.',
    example: {
      run: 'monoceros shop:app 2>&1 | some-collector',
      shows: '12 log entries could not be written',
    },
    cure: 'Make space, or look at the program that reads. The server goes on without its log.',
    test: 'src/logging/access-log.test.ts',
  },
  MONO8003: {
    title: 'Entries were left out, because there were so many',
    level: 'warning',
    line: '… more log entries about … were suppressed in the last … s',
    cause: `Clients caused the same kind of entry again and again. A few a second are written,
      the others are counted.`,
    example: {
      run: 'monoceros shop:app',
      shows: `4990 more log entries about requests refused with 400 were suppressed in the last
        5 s`,
    },
    cure: 'Look at the entries before. With `--log-level debug`, nothing is left out.',
    test: 'src/logging/log-limiter.test.ts',
  },
  MONO8004: {
    title: 'syslog cannot be reached',
    level: 'warning',
    line: 'Cannot write to syslog: …',
    cause: 'No daemon answers at `syslog_addr`, or its name cannot be resolved.',
    example: {
      run: 'monoceros --log-syslog --log-syslog-to tcp://127.0.0.1:1 shop:app',
      shows: 'Cannot write to syslog: …',
    },
    cure: 'Start the daemon, or correct `--log-syslog-to`. The log files are not concerned.',
    test: 'src/logging/syslog.test.ts',
  },
  MONO8101: {
    title: 'Metrics cannot be sent to StatsD',
    level: 'warning',
    line: 'Cannot send metrics: …',
    cause: 'The name in `statsd_host` cannot be resolved, or nobody reads at that address.',
    example: {
      run: 'monoceros --statsd-host statsd.invalid:8125 shop:app',
      shows: 'Cannot send metrics: …',
    },
    cure: 'Correct the address. The server goes on without.',
    test: 'src/statsd/statsd-client.test.ts',
  },
  MONO8201: {
    title: 'The address for metrics and health cannot be used',
    level: 'error',
    line: `Address already in use: … (metrics_bind). Stop the process that listens there or
      choose another address.`,
    cause: `Another process listens at an address of \`metrics_bind\`: often another server with
      the same settings.`,
    example: {
      run: 'monoceros --metrics-bind 192.0.2.1:9400 shop:app',
      shows: '…Cannot listen at 192.0.2.1:9400 (metrics_bind): …',
    },
    cure: `Give each server an address of its own. During an upgrade, the new server gets it
      later.`,
    test: 'examples',
  },
  MONO8202: {
    title: 'A question at metrics_bind could not be answered',
    level: 'error',
    line: 'Cannot answer …: …',
    cause: 'This is a bug of Monoceros, or a process ended while it was asked.',
    example: {
      run: 'curl http://127.0.0.1:9400/metrics',
      shows: 'Cannot answer GET /metrics: …',
    },
    cure: 'Please report it, with the stack.',
    test: 'src/arbiter/operations/operations-server.test.ts',
  },
  MONO8203: {
    title: 'The dashboard has no sample',
    level: 'error',
    line: 'Cannot take a sample for the dashboard: …',
    cause: 'This is a bug of Monoceros: numbers for the dashboard could not be computed.',
    example: {
      run: 'monoceros --metrics-bind 127.0.0.1:9400 shop:app',
      shows: 'Cannot take a sample for the dashboard: …',
    },
    cure: 'Please report it, with the stack.',
    test: 'src/arbiter/dashboard/recorder.test.ts',
  },
  MONO8301: {
    title: 'The package ioredis is missing',
    level: 'error',
    line: 'rate_limit_store needs the package ioredis, which is not installed: npm install ioredis',
    cause: 'Rates are counted in Redis with a package that is not part of Monoceros.',
    example: {
      run: 'monoceros --rate-limit 20/s --rate-limit-store redis://127.0.0.1:6379/0 shop:app',
      shows: `rate_limit_store needs the package ioredis, which is not installed: npm install
        ioredis`,
    },
    cure: '`npm install ioredis`, beside the package `monoceros`.',
    test: 'src/acceptor/rate-limiting.test.ts',
  },
  MONO8302: {
    title: 'Redis does not answer',
    level: 'warning',
    line: `The rate limit cannot be counted in Redis at … (…); until it answers, each acceptor
      counts by itself`,
    cause: `The Redis of \`rate_limit_store\` is down, or cannot be reached. Clients may send a
      little more than the limit.`,
    example: {
      run: 'monoceros --rate-limit 20/s --rate-limit-store redis://127.0.0.1:6379/0 shop:app',
      shows: 'The rate limit cannot be counted in Redis at redis://127.0.0.1:6379/0 (…); …',
    },
    cure: 'Start Redis, or correct the URL. A line says when it is used again.',
    test: 'tests/release/rate-limit.test.ts',
  },
  MONO8303: {
    title: 'Redis answers again',
    level: 'warning',
    line: 'The rate limit is counted in Redis at … again',
    cause: 'The Redis of `rate_limit_store` was down ([MONO8302](MONO8302.md)), and is used again.',
    example: {
      run: 'redis-server',
      shows: 'The rate limit is counted in Redis at redis://127.0.0.1:6379/0 again',
    },
    cure: 'Nothing.',
    test: 'tests/release/rate-limit.test.ts',
  },
  MONO8401: {
    title: 'A variable of OpenTelemetry has a mistake',
    level: 'error',
    line: 'OTEL_…=… is …',
    cause: `With \`--otlp\`, variables that begin with \`OTEL_\` count, and one has a value that
      is not valid or not supported.`,
    example: {
      run: 'OTEL_EXPORTER_OTLP_PROTOCOL=grpc monoceros --otlp env shop:app',
      shows: '…OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported: use http/protobuf or http/json',
    },
    cure: 'Correct the variable: [Traces](../guides/traces.md) lists them.',
    test: 'examples',
  },
  MONO8402: {
    title: 'Spans cannot be sent',
    level: 'warning',
    line: 'Spans cannot be sent to …: …',
    cause: `The collector of \`otlp\` is down, refuses the spans, or is slower than the
      requests. What cannot wait is lost and counted.`,
    example: {
      run: 'monoceros --otlp http://127.0.0.1:4318 shop:app',
      shows: 'Spans cannot be sent to http://127.0.0.1:4318/v1/traces: …',
    },
    cure: 'Start the collector, or correct the address. Requests are not concerned.',
    test: 'src/traces/span-exporter.test.ts',
  },
  MONO8403: {
    title: 'Spans are sent again',
    level: 'warning',
    line: 'Spans are sent to … again; …',
    cause: `The collector was down ([MONO8402](MONO8402.md)), and takes spans again. The line
      says how many were lost.`,
    example: {
      run: 'monoceros --otlp http://127.0.0.1:4318 shop:app',
      shows: 'Spans are sent to http://127.0.0.1:4318/v1/traces again; …',
    },
    cure: 'Nothing.',
    test: 'src/traces/span-exporter.test.ts',
  },
} as const satisfies Readonly<Record<string, MessageRow>>

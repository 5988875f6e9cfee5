/**
 * The arrows of the architecture as one table: what each folder may import, and what to do instead. The lint rule
 * `berth/may-import` reads it, so a wrong import fails the build with the advice that stands here. A folder without a
 * row may import nothing: add the row together with the folder. It must never hold an exception for a single file.
 *
 * `values` may be imported in any way, `types` only by `import type`. A trailing `*` stands for any ending. Relative
 * imports are free inside the folder and forbidden out of it. What stands in `specs` is added for unit specs;
 * integration specs, end-to-end tests and scripts wire real parts together and have rows without walls.
 */
const OWN_DOOR = 'Import another package by its door in package.json `imports` (#domain, #postgres, …).';

const ADAPTER_ADVICE =
  'An adapter knows #domain and its own technology. What two adapters need of each other is a port in libs/domain/src/ports, wired in an app.';

const SPEC_IMPORTS = ['@jest/globals', 'node:*', '#domain', '#workflows/contract', 'test/fakes/*'];

const adapter = (folder, technology) => ({
  folder,
  values: ['#domain', 'node:*', ...technology],
  specs: SPEC_IMPORTS,
  advice: ADAPTER_ADVICE,
});

export const MAY_IMPORT = [
  {
    folder: 'libs/domain',
    values: [],
    specs: ['@jest/globals', 'node:*', 'test/fakes/*'],
    advice:
      'The domain imports nothing but itself. Time, ids and I/O come in as arguments; what touches the world is a port in libs/domain/src/ports and an adapter elsewhere.',
  },
  {
    folder: 'libs/workflows',
    values: ['#domain', '@temporalio/workflow', '@temporalio/common'],
    types: ['#activities'],
    specs: SPEC_IMPORTS,
    advice:
      'A Workflow orders and never touches: put the effect into an Activity (libs/activities) and import only its type.',
  },
  {
    folder: 'libs/activities',
    values: [
      '#domain',
      '#workflows/contract',
      '@temporalio/activity',
      '@temporalio/common',
      'uuid',
      'node:*',
    ],
    specs: SPEC_IMPORTS,
    advice:
      'An Activity works over ports: take the small interface from #domain as an argument and let apps/worker pass the adapter in.',
  },
  adapter('libs/postgres', ['pg', 'pg-connection-string', 'typeorm', 'uuid']),
  adapter('libs/docker', ['dockerode', 'docker-modem', 'tar-stream']),
  adapter('libs/s3', ['@aws-sdk/*', '@smithy/*']),
  adapter('libs/stream', []),
  adapter('libs/v8', []),
  adapter('libs/temporal', ['@temporalio/client', '@temporalio/common', '#workflows/contract']),
  {
    folder: 'apps/api',
    values: [
      '#domain',
      '#workflows/contract',
      '#postgres',
      '#temporal',
      '#s3',
      '#stream',
      '#v8',
      '@nestjs/*',
      '@fastify/*',
      'fastify',
      'rate-limiter-flexible',
      'reflect-metadata',
      'rxjs',
      'pino',
      'ws',
      'zod',
      'uuid',
      'node:*',
    ],
    specs: ['@jest/globals', 'test/fakes/*'],
    advice:
      'The API translates: it starts Workflows by #workflows/contract, reads through stores, and never holds the Docker socket. Slow work belongs into a Workflow, decisions into libs/domain.',
  },
  {
    folder: 'apps/worker',
    values: [
      '#domain',
      '#activities',
      '#workflows/contract',
      '#postgres',
      '#temporal',
      '#docker',
      '#s3',
      '#stream',
      '#v8',
      '@temporalio/worker',
      '@temporalio/common',
      'pino',
      'zod',
      'node:*',
    ],
    specs: ['@jest/globals', 'test/fakes/*'],
    advice:
      'The worker wires Activities to adapters and decides nothing: put behaviour into libs/activities or libs/workflows.',
  },
  {
    folder: 'apps/cli',
    values: ['commander', 'tar-stream', 'ws', 'zod', 'node:*'],
    types: ['#domain'],
    specs: ['@jest/globals'],
    advice:
      'The CLI is a client like any other: it speaks the public API of docs/WEBSOCKET.md and /openapi.json, and takes only types from #domain.',
  },
  {
    folder: 'scripts',
    values: ['#*', '@*', 'test/*', /^[a-z]/],
    specs: ['@jest/globals'],
    advice:
      'A script talks to an app through its public port or starts it as a process; it never loads its modules.',
  },
  {
    folder: 'test',
    values: ['#*', '@*', 'apps/*', 'libs/*', 'scripts/*', /^[a-z]/],
    advice: OWN_DOOR,
  },
];

/** The row of the folder that holds `file`, a path from the root of the project with forward slashes. */
export function rowOf(file) {
  return MAY_IMPORT.find((row) => file.startsWith(`${row.folder}/`));
}

/**
 * Undefined when `file` may import `specifier`, otherwise the sentence that says why not and what to do. A relative
 * specifier has been resolved to a path from the root by the caller.
 */
export function refusalOf(file, specifier, typeOnly) {
  if (/\.(int|e2e)-spec\.ts$/.test(file)) return undefined;
  const row = rowOf(file);
  if (row === undefined) {
    return `No row in test/architecture/may-import.mjs says what ${file} may import. Add one for its folder.`;
  }
  if (specifier.startsWith(`${row.folder}/`)) return undefined;
  const allowed = [
    ...row.values,
    ...(typeOnly ? (row.types ?? []) : []),
    ...(file.endsWith('.spec.ts') ? (row.specs ?? []) : []),
  ];
  if (allowed.some((entry) => covers(entry, specifier))) return undefined;
  const onlyType = !typeOnly && (row.types ?? []).some((entry) => covers(entry, specifier));
  if (onlyType)
    return `${row.folder} may import only types of ${specifier}: write \`import type\`. ${row.advice}`;
  const relative = /^(libs|apps|scripts|test)\//.test(specifier);
  return `${row.folder} may not import ${specifier}. ${relative ? `${OWN_DOOR} ` : ''}${row.advice}`;
}

function covers(entry, specifier) {
  if (entry instanceof RegExp) return entry.test(specifier) && !/^(apps|libs)\//.test(specifier);
  return entry.endsWith('*') ? specifier.startsWith(entry.slice(0, -1)) : specifier === entry;
}

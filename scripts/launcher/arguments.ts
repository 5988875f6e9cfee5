import { parseArgs, type ParseArgsConfig } from 'node:util';
import { SetupProblem } from './setup-problem.js';

const API_PORT_DEFAULT = 3000;
const PORT_MAX = 65_535;
export const TEST_STEPS = ['lint', 'types', 'runner', 'unit', 'int', 'e2e', 'chaos'] as const;
export type TestStep = (typeof TEST_STEPS)[number];

interface SharedOptions {
  readonly stateDirectory: string;
  readonly verbose: boolean;
}

export interface StartOptions extends SharedOptions {
  /** Without worker and API. */
  readonly onlyInfra: boolean;
  readonly apiHost: string;
  readonly apiPort: number;
  readonly portBase: number | undefined;
  readonly strictPorts: boolean;
  /** An engine of this instance alone, even where another one answers: so that it may be killed. */
  readonly ownEngine: boolean;
  readonly demo: boolean;
}

export interface StopOptions extends SharedOptions {
  readonly all: boolean;
}

export interface DoctorOptions extends SharedOptions {
  readonly json: boolean;
}

export interface TestOptions extends SharedOptions {
  readonly steps: readonly TestStep[];
  readonly allowMissing: boolean;
  readonly keep: boolean;
}

const SHARED = { 'state-dir': { type: 'string' }, verbose: { type: 'boolean', default: false } } as const;

export function parseStartArguments(argv: readonly string[], environment: NodeJS.ProcessEnv): StartOptions {
  const values = parse(argv, {
    ...SHARED,
    only: { type: 'string' },
    'api-port': { type: 'string' },
    listen: { type: 'string' },
    'port-base': { type: 'string' },
    'strict-ports': { type: 'boolean', default: false },
    'own-engine': { type: 'boolean', default: false },
    'no-demo': { type: 'boolean', default: false },
  });
  if (values.only !== undefined && values.only !== 'infra')
    throw wrongArgument('--only', 'infra', values.only);
  const portBase = parsePort('--port-base', values['port-base']);
  return {
    ...shared(values, environment, '.berth'),
    onlyInfra: values.only === 'infra',
    apiHost: values.listen ?? '127.0.0.1',
    apiPort: parsePort('--api-port', values['api-port']) ?? portBase ?? API_PORT_DEFAULT,
    portBase,
    strictPorts: values['strict-ports'],
    ownEngine: values['own-engine'],
    demo: !values['no-demo'],
  };
}

export function parseStopArguments(argv: readonly string[], environment: NodeJS.ProcessEnv): StopOptions {
  const values = parse(argv, { ...SHARED, all: { type: 'boolean', default: false } });
  return { ...shared(values, environment, '.berth'), all: values.all };
}

export function parseDoctorArguments(argv: readonly string[], environment: NodeJS.ProcessEnv): DoctorOptions {
  const values = parse(argv, { ...SHARED, json: { type: 'boolean', default: false } });
  return { ...shared(values, environment, '.berth'), json: values.json };
}

export function parseTestArguments(argv: readonly string[]): TestOptions {
  const values = parse(argv, {
    ...SHARED,
    only: { type: 'string' },
    'allow-missing': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  });
  // The environment's BERTH_STATE_DIR names a live instance, which the tests must never touch.
  return {
    ...shared(values, {}, '.berth-test'),
    steps: parseSteps(values.only),
    allowMissing: values['allow-missing'],
    keep: values.keep,
  };
}

function parseSteps(text: string | undefined): readonly TestStep[] {
  if (text === undefined) return TEST_STEPS;
  const wanted = text.split(',').map((step) => step.trim());
  const unknown = wanted.find((step) => !TEST_STEPS.some((known) => known === step));
  if (unknown !== undefined) throw wrongArgument('--only', TEST_STEPS.join(', '), unknown);
  return TEST_STEPS.filter((step) => wanted.includes(step));
}

function shared(
  values: { 'state-dir'?: string | undefined; verbose: boolean },
  environment: NodeJS.ProcessEnv,
  fallback: string,
): SharedOptions {
  return {
    stateDirectory: values['state-dir'] ?? (environment['BERTH_STATE_DIR'] || fallback),
    verbose: values.verbose,
  };
}

function parse<T extends NonNullable<ParseArgsConfig['options']>>(argv: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
    throw new SetupProblem(`${message}.`, 'an option that is not understood is never ignored.', 'see --help');
  }
}

function parsePort(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (/^\d+$/.test(text) && port > 0 && port <= PORT_MAX) return port;
  throw wrongArgument(name, `a port from 1 to ${PORT_MAX}`, text);
}

function wrongArgument(name: string, wanted: string, got: string): SetupProblem {
  return new SetupProblem(
    `${name} takes ${wanted}, not "${got}".`,
    'an argument that is not understood is never ignored.',
    'see --help',
  );
}

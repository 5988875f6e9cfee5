import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { ApiClient } from '../api/api-client.js';
import { HealthSchema, type Health } from '../api/resources.js';
import { CliError } from '../terminal/cli-error.js';
import { show, tableOf } from '../terminal/terminal.js';
import type { Session } from './session.js';

const HEALTH_TIMEOUT_MS = 5_000;
const EXIT_NOT_WELL = 1;
/** From the compiled file up to the root of the checkout. */
const MACHINE_CHECKS = fileURLToPath(new URL('../../../../../scripts/doctor.mjs', import.meta.url));

export function addDoctorCommand(program: Command, session: Session): void {
  program
    .command('doctor')
    .description('Checks the running API and what this machine has and lacks.')
    .addHelpText('after', '\nExamples:\n  berth doctor\n  berth --json doctor')
    .action(async () => {
      const health = await healthOf(session);
      const machine = await machineChecks(session.terminal().json);
      await show(session.terminal(), { api: health, machine: machine.report }, () => linesOf(health));
      if (!health.well || !machine.well) session.exitWith(EXIT_NOT_WELL);
    });
}

interface ApiState {
  readonly well: boolean;
  readonly health: Health | null;
  readonly problem: string | null;
}

async function healthOf(session: Session): Promise<ApiState> {
  try {
    const health = await new ApiClient(session.config()).get('/health', HealthSchema, HEALTH_TIMEOUT_MS);
    const well = Object.values(health.dependencies).every((one) => one.state === 'up');
    return { well, health, problem: null };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { well: false, health: null, problem: [error.message, error.advice].filter(Boolean).join(' ') };
  }
}

function linesOf(api: ApiState): string[] {
  if (api.health === null) return [`api  ${api.problem ?? 'unknown'}`];
  return tableOf(
    ['RUNNING', 'STATE', 'DETAIL'],
    [
      ['api', api.health.status, ''],
      ...Object.entries(api.health.dependencies).map(([name, one]) => [name, one.state, one.detail ?? '']),
    ],
  );
}

/** The checks of the machine belong to the launcher; here they are only run. Without a checkout there are none. */
async function machineChecks(json: boolean): Promise<{ well: boolean; report: unknown }> {
  if (!existsSync(MACHINE_CHECKS)) return { well: true, report: null };
  const child = spawn(process.execPath, [MACHINE_CHECKS, ...(json ? ['--json'] : [])], {
    stdio: ['ignore', json ? 'pipe' : 'inherit', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  const text = Buffer.concat(chunks).toString('utf8');
  return { well: code === 0, report: json && text !== '' ? (JSON.parse(text) as unknown) : null };
}

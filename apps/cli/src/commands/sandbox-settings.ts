import type { Command } from 'commander';
import { CliError } from '../terminal/cli-error.js';

export interface SettingsOptions {
  readonly healthCommand?: string;
  readonly healthHttp?: string;
  /** False with `--no-health`. */
  readonly health?: boolean;
  readonly restartPolicy?: string;
  readonly idleStop?: string;
  readonly snapshotOnRestart?: string;
}

/** The options that `create` and `set` have in common. */
export function addSettingsOptions(command: Command): Command {
  return command
    .option('--health-command <command>', 'ask by this command of a shell: exit code 0 is well')
    .option('--health-http <port/path>', 'ask by HTTP, for example 8080/healthz: 200 to 399 is well')
    .option('--no-health', 'do not ask any more')
    .option('--restart-policy <policy>', 'never, on-failure or always')
    .option('--snapshot-on-restart <on|off>', 'whether a restart begins with a snapshot')
    .option('--idle-stop <seconds>', 'stop it after so long without an exec; "off" for never');
}

/** As the API takes them; what was not given stays away. */
export function settingsOf(options: SettingsOptions): object {
  const { restartPolicy, idleStop, snapshotOnRestart } = options;
  const healthCheck = healthCheckOf(options);
  return {
    ...(healthCheck === undefined ? {} : { healthCheck }),
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    ...(snapshotOnRestart === undefined ? {} : { snapshotOnRestart: isOn(snapshotOnRestart) }),
    ...(idleStop === undefined ? {} : { idleStopSeconds: secondsOf(idleStop) }),
  };
}

function healthCheckOf({ healthCommand, healthHttp, health }: SettingsOptions): object | null | undefined {
  if (healthCommand !== undefined) return { command: ['sh', '-c', healthCommand] };
  if (healthHttp !== undefined) {
    const [, port, path = '/'] = /^(\d{1,5})(\/\S*)?$/.exec(healthHttp) ?? [];
    if (port !== undefined) return { http: { port: Number(port), path } };
    throw new CliError(
      `--health-http takes a port and a path, not "${healthHttp}".`,
      'For example: --health-http 8080/healthz',
    );
  }
  return health === false ? null : undefined;
}

function isOn(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on';
  throw new CliError(`--snapshot-on-restart takes "on" or "off", not "${text}".`);
}

function secondsOf(text: string): number | null {
  if (text === 'off') return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CliError(`--idle-stop takes seconds or "off", not "${text}".`, 'For example: --idle-stop 3600');
}

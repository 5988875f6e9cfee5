import type { Command } from 'commander';
import { CliError } from '../terminal/cli-error.js';

export interface SettingsOptions {
  readonly restartPolicy?: string;
  readonly idleStop?: string;
}

/** The options that `create` and `set` have in common. */
export function addSettingsOptions(command: Command): Command {
  return command
    .option('--restart-policy <policy>', 'never, on-failure or always')
    .option('--idle-stop <seconds>', 'stop it after so long without an exec; "off" for never');
}

/** As the API takes them; what was not given stays away. */
export function settingsOf({ restartPolicy, idleStop }: SettingsOptions): object {
  return {
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
    ...(idleStop === undefined ? {} : { idleStopSeconds: secondsOf(idleStop) }),
  };
}

function secondsOf(text: string): number | null {
  if (text === 'off') return null;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CliError(`--idle-stop takes seconds or "off", not "${text}".`, 'For example: --idle-stop 3600');
}

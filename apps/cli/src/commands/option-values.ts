import { InvalidArgumentError } from 'commander';
import { CliError } from '../terminal/cli-error.js';

/** What options are given, as commander hands it over. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

/** Of an option that may be repeated. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

export function nameValuesOf(option: string, pairs: readonly string[], how: string): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new CliError(`${option} ${pair} is not of the form NAME=VALUE.`, how);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

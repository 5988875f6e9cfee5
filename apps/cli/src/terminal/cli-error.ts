/** A failure that the person at the terminal can do something about: what happened, and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    message: string,
    readonly advice?: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(message, options);
  }
}

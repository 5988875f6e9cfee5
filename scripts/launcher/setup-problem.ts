/** Something that a person has to put right. It is printed as it is, without a stack: what, why it matters, and the fix. */
export class SetupProblem extends Error {
  constructor(
    readonly what: string,
    readonly why: string,
    readonly fix: string,
  ) {
    super(`${what}\n  Why: ${why}\n  Fix: ${fix}`);
    this.name = 'SetupProblem';
  }
}

/** The set-up was ended from outside, by Ctrl+C or SIGTERM; nothing is wrong and nothing needs to be explained. */
export class SetupInterrupted extends Error {
  constructor() {
    super('The set-up was interrupted.');
    this.name = 'SetupInterrupted';
  }
}

export function errorText(error: unknown): string {
  if (!isErrorLike(error)) return String(error);
  // An AggregateError of a refused connection has an empty message; its parts say what happened.
  if (error.message === '' && Array.isArray(error.errors)) return error.errors.map(errorText).join('; ');
  return error.message;
}

export function hasCode(error: unknown, code: string): boolean {
  return isErrorLike(error) && error.code === code;
}

/** By its shape: the errors of Node's own modules are of another realm where a test runs in a context of its own. */
function isErrorLike(error: unknown): error is { message: string; code?: unknown; errors?: unknown } {
  return (
    typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string'
  );
}

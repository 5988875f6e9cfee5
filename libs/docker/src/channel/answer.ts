import { brokenProtocol } from './runner.errors.js';

const TEXT = new TextDecoder('utf-8', { fatal: true });

/** One JSON object from the runner, read field by field. Every mismatch is a breach of the protocol. */
export class Answer {
  private constructor(private readonly fields: Readonly<Record<string, unknown>>) {}

  static parse(payload: Uint8Array): Answer {
    try {
      return Answer.of(JSON.parse(TEXT.decode(payload)));
    } catch (error) {
      throw brokenProtocol(
        `The runner sent malformed JSON: ${error instanceof Error ? error.message : 'unknown'}`,
      );
    }
  }

  has(name: string): boolean {
    return Object.hasOwn(this.fields, name);
  }

  isNull(name: string): boolean {
    return this.fields[name] === null;
  }

  text(name: string): string {
    const value = this.fields[name];
    return typeof value === 'string' ? value : this.refuse(name);
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.text(name);
    return pattern.test(value) ? value : this.refuse(name);
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value {
    return values.find((value) => value === this.fields[name]) ?? this.refuse(name);
  }

  /** From 0 to `max`. */
  integer(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.fields[name];
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
      ? value
      : this.refuse(name);
  }

  boolean(name: string): boolean {
    const value = this.fields[name];
    return typeof value === 'boolean' ? value : this.refuse(name);
  }

  object(name: string): Answer {
    return Answer.of(this.fields[name]);
  }

  list(name: string, lengthMax: number): Answer[] {
    const value = this.fields[name];
    if (!Array.isArray(value) || value.length > lengthMax) return this.refuse(name);
    return value.map((entry) => Answer.of(entry));
  }

  private static of(value: unknown): Answer {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw brokenProtocol('The runner sent something else than an object.');
    }
    return new Answer(value as Record<string, unknown>);
  }

  private refuse(name: string): never {
    throw brokenProtocol(`The runner sent a malformed ${name}.`);
  }
}

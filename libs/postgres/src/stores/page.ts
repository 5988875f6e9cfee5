import { DomainError, isUuid, type Page } from '#domain';

/** A cursor is the (created_at, id) of the last row of a page: stable while rows are added. Newest first. */
export interface Cursor {
  readonly createdAt: string;
  readonly id: string;
}

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(`${cursor.createdAt} ${cursor.id}`).toString('base64url');
}

export function decodeCursor(text: string): Cursor {
  const [createdAt = '', id = ''] = Buffer.from(text, 'base64url').toString().split(' ');
  if (!isUuid(id) || Number.isNaN(Date.parse(createdAt))) {
    throw notOurs();
  }
  return { createdAt, id };
}

/** Of a list that is ordered by a number. */
export const encodeNumberCursor = (last: number): string => Buffer.from(String(last)).toString('base64url');

export function decodeNumberCursor(text: string): number {
  const digits = Buffer.from(text, 'base64url').toString();
  if (!/^[0-9]{1,9}$/.test(digits)) throw notOurs();
  return Number(digits);
}

function notOurs(): DomainError {
  return new DomainError('bad_request', 'The cursor is not one that this API gave out.', {
    pointer: '/cursor',
  });
}

/** `rows` holds one more than the page when there is a next page. `cursorAt` is the microsecond time of the row as text. */
export function pageOf<Row extends { id: string; cursorAt: string }, T>(
  rows: readonly Row[],
  limit: number,
  map: (row: Row) => T,
): Page<T> {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: page.map(map),
    nextCursor: more ? encodeCursor({ createdAt: last.cursorAt, id: last.id }) : null,
  };
}

/** Collects `column = $n` conditions with their parameters. */
export class Conditions {
  private readonly parts: string[] = [];
  readonly parameters: unknown[] = [];

  equal(column: string, value: unknown): this {
    if (value !== undefined) this.parts.push(`${column} = ${this.parameter(value)}`);
    return this;
  }

  differs(column: string, value: unknown): this {
    this.parts.push(`${column} <> ${this.parameter(value)}`);
    return this;
  }

  above(column: string, value: number | undefined): this {
    if (value !== undefined) this.parts.push(`${column} > ${this.parameter(value)}`);
    return this;
  }

  oneOf(column: string, values: readonly unknown[] | undefined): this {
    if (values !== undefined) this.parts.push(`${column} = ANY(${this.parameter(values)})`);
    return this;
  }

  /** The jsonb object has all of these members. The second condition is that of the partial index. */
  holds(expression: string, members: Readonly<Record<string, string>> | undefined): this {
    if (members === undefined) return this;
    const parameter = this.parameter(JSON.stringify(members));
    this.parts.push(`${expression} @> ${parameter}::jsonb AND ${expression} <> '{}'::jsonb`);
    return this;
  }

  /** `condition` makes the condition from the placeholder of its parameter. */
  matching(value: unknown, condition: (placeholder: string) => string): this {
    if (value !== undefined) this.parts.push(condition(this.parameter(value)));
    return this;
  }

  notBefore(column: string, time: string | undefined): this {
    if (time !== undefined) this.parts.push(`${column} >= ${this.parameter(time)}::timestamptz`);
    return this;
  }

  earlierThan(column: string, time: string | undefined): this {
    if (time !== undefined) this.parts.push(`${column} < ${this.parameter(time)}::timestamptz`);
    return this;
  }

  before(alias: string, cursor: string | undefined): this {
    if (cursor !== undefined) {
      const { createdAt, id } = decodeCursor(cursor);
      const time = this.parameter(createdAt);
      this.parts.push(
        `(${alias}.created_at, ${alias}.id) < (${time}::timestamptz, ${this.parameter(id)}::uuid)`,
      );
    }
    return this;
  }

  parameter(value: unknown): string {
    this.parameters.push(value);
    return `$${this.parameters.length}`;
  }

  get where(): string {
    return this.parts.length === 0 ? 'true' : this.parts.join(' AND ');
  }
}

/** Microseconds survive as text; a JavaScript date would cut them off and the next page would repeat rows. */
export const cursorAt = (alias: string): string =>
  `to_char(${alias}.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "cursorAt"`;

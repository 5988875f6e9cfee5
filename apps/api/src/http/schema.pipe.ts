import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { ZodType, type z } from 'zod';
import { parseJsonBody } from './json-body.js';
import { escapePointer } from './json-structure.js';
import { InvalidInputError, type InputIssue } from './problem.js';

const ISSUES_SHOWN_MAX = 20;
const NAME_SHOWN_LENGTH_MAX = 100;

/** Checks each parameter of a handler against the schema that its decorator names. It runs after the guard. */
@Injectable()
export class SchemaPipe implements PipeTransform {
  transform(value: unknown, { type, schema }: ArgumentMetadata & { schema?: unknown }): unknown {
    if (!(schema instanceof ZodType)) return value;
    return check(schema, type === 'body' && value instanceof Uint8Array ? parseJsonBody(value) : value);
  }
}

export function check<Schema extends ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap(inputIssuesOf).slice(0, ISSUES_SHOWN_MAX);
  throw new InvalidInputError(issues[0]?.message ?? 'The input is not valid.', issues);
}

function inputIssuesOf(issue: z.core.$ZodIssue): InputIssue[] {
  const pointer = pointerOf(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: `${pointer}/${shown(key)}`,
      message: 'This key is not known.',
    }));
  }
  return [{ pointer, message: issue.message }];
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((segment) => `/${shown(String(segment))}`).join('');
}

function shown(segment: string): string {
  return escapePointer(segment).slice(0, NAME_SHOWN_LENGTH_MAX);
}

import { z, type ZodType } from 'zod';
import type { AnswerKind } from '../http/describe.js';
import { Problem } from '../http/problem.js';
import type { Route, RouteTable } from '../http/route-table.js';

const COMPONENTS = '#/components/schemas/';
const VERSION = '1.0.0';

type Json = Record<string, unknown>;

const TAGS = [
  { name: 'sandboxes', description: "A user's container and workspace volume." },
  { name: 'execs', description: 'Commands in a sandbox and their output.' },
  { name: 'files', description: 'Files of a workspace, in sandboxes that run.' },
  { name: 'operations', description: 'Durable runs on a sandbox that are not execs.' },
  { name: 'super', description: "The predecessor's addresses: aliases of /v1." },
  { name: 'health', description: 'Whether the API and what it depends on are up.' },
];

/** OpenAPI 3.1, assembled from the route table and the very schemas that check the requests. */
export function openApiOf(table: RouteTable): Json {
  const paths: Record<string, Json> = {};
  for (const route of table.routes) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Berth',
      version: VERSION,
      description: 'Long-running work in per-user Docker sandboxes. The WebSocket /v1/ws has its own page.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: TAGS,
    security: [{ adminSecret: [] }],
    paths,
    components: {
      schemas: componentsOf(table),
      securitySchemes: { adminSecret: { type: 'apiKey', in: 'header', name: 'X-Admin-Secret' } },
    },
  };
}

function operationOf(route: Route): Json {
  const { body, params, query } = route.schemas;
  return {
    operationId: `${route.controller.replace(/Controller$/, '')}_${route.handler}`,
    tags: [route.description.tag],
    summary: route.description.summary,
    ...(route.access === 'anonymous' ? { security: [] } : {}),
    parameters: [
      ...parametersOf(params, 'path'),
      ...parametersOf(query, 'query'),
      ...(route.method === 'POST' ? [IDEMPOTENCY_KEY] : []),
      ...(query && 'wait' in shapeOf(query) ? [PREFER] : []),
    ],
    ...(route.description.body ? { requestBody: BYTES } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }
      : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.description.answers).map(([status, answer]) => [
          status,
          answerOf(status, answer),
        ]),
      ),
      default: {
        description: 'A problem (RFC 9457)',
        content: { 'application/problem+json': { schema: schemaOf(Problem, 'output') } },
      },
    },
  };
}

const BYTES = { content: { 'application/octet-stream': {} } };

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
  description: 'The same key with the same request is the same resource; with another request it is 422.',
};

const PREFER = {
  name: 'Prefer',
  in: 'header',
  schema: { type: 'string', pattern: 'wait=[0-9]+' },
  description: 'wait=N, as the parameter `wait`.',
};

const BYTE_TYPES = ['application/octet-stream'];
const OUTPUT_TYPES = [...BYTE_TYPES, 'text/event-stream', 'application/x-ndjson'];

const ANSWER_TITLES: Readonly<Record<string, string>> = {
  '200': 'Done',
  '204': 'There is nothing more',
  '202': 'Accepted: it goes on by itself',
  '206': 'A part of the bytes',
  '304': 'It has not changed',
  '503': 'Not ready',
};

function answerOf(status: string, answer: AnswerKind): Json {
  const description = ANSWER_TITLES[status] ?? 'Answer';
  if (answer === 'nothing') return { description };
  if (answer === 'bytes' || answer === 'output') {
    const types = answer === 'bytes' ? BYTE_TYPES : OUTPUT_TYPES;
    return { description, content: Object.fromEntries(types.map((type) => [type, {}])) };
  }
  if (answer === 'text') return { description, content: { 'text/plain': { schema: { type: 'string' } } } };
  const schema = answer === 'object' ? { type: 'object' } : schemaOf(answer, 'output');
  return { description, content: { 'application/json': { schema } } };
}

function shapeOf(schema: ZodType): Readonly<Record<string, ZodType>> {
  if (!(schema instanceof z.ZodObject)) throw new TypeError('The parameters of a route are an object.');
  return schema.shape as Record<string, ZodType>;
}

function parametersOf(schema: ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return [];
  return Object.entries(shapeOf(schema)).map(([name, parameter]) => {
    const { description, ...described } = schemaOf(parameter, 'input');
    return {
      name,
      in: place,
      required: place === 'path' || !parameter.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: described,
    };
  });
}

/** A schema with an id is a component and is referred to; its definition is written once, by `componentsOf`. */
function schemaOf(schema: ZodType, io: 'input' | 'output'): Json {
  const id = schema.meta()?.id;
  if (id !== undefined) return { $ref: `${COMPONENTS}${id}` };
  return referring(z.toJSONSchema(schema, { io, unrepresentable: 'any' }));
}

function componentsOf(table: RouteTable): Json {
  const components = new Map<string, unknown>();
  const add = (schema: ZodType, io: 'input' | 'output'): void => {
    const {
      $schema: _dialect,
      $defs,
      ...own
    } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
    for (const [name, definition] of Object.entries(($defs ?? {}) as Json))
      components.set(name, referring(definition));
    const id = schema.meta()?.id;
    if (id !== undefined && !('$ref' in own)) components.set(id, referring(own));
  };
  add(Problem, 'output');
  for (const { schemas, description } of table.routes) {
    if (schemas.body) add(schemas.body, 'input');
    for (const answer of Object.values(description.answers))
      if (typeof answer === 'object') add(answer, 'output');
  }
  return Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** zod refers to `#/$defs/X`, OpenAPI keeps X among its components; ids and dialects are said once, outside. */
function referring(value: unknown): Json {
  const text = JSON.stringify(value, (key, member: unknown) =>
    key === '$schema' || key === '$defs' || (key === 'id' && typeof member === 'string') ? undefined : member,
  );
  return JSON.parse(text.replaceAll('"#/$defs/', `"${COMPONENTS}`)) as Json;
}

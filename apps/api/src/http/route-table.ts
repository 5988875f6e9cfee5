import { RequestMethod, type Type } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { ZodType } from 'zod';
import { ACCESS, type Access } from '../auth/access.js';
import { RATE, type RatePolicyName } from '../rate/rate-policies.js';
import { DESCRIPTION, type Description } from './describe.js';

/** Where a parameter of a handler comes from, by Nest's own numbers. */
const PARAMETER_KINDS: Readonly<Record<number, 'body' | 'query' | 'params'>> = {
  3: 'body',
  4: 'query',
  5: 'params',
};

export interface Route {
  readonly method: string;
  /** As the router knows it: `/v1/execs/:execId`. */
  readonly path: string;
  readonly access: Access;
  /** Undefined where the route does not say it. */
  readonly rate: RatePolicyName | undefined;
  readonly description: Description;
  readonly schemas: Readonly<Partial<Record<'body' | 'query' | 'params', ZodType>>>;
  readonly controller: string;
  readonly handler: string;
}

/** Every route of the API, read from the same metadata that the framework routes by. */
export class RouteTable {
  private readonly patterns: ReadonlyArray<{ readonly method: string; readonly pattern: RegExp }>;

  constructor(readonly routes: readonly Route[]) {
    this.patterns = routes.map((route) => ({ method: route.method, pattern: patternOf(route.path) }));
  }

  static of(controllers: readonly Type[]): RouteTable {
    return new RouteTable(controllers.flatMap(routesOf));
  }

  /** The methods that this address answers, to tell 405 from 404. */
  methodsFor(url: string): string[] {
    const path = url.split('?', 1)[0] ?? url;
    return [
      ...new Set(this.patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)),
    ];
  }
}

function routesOf(controller: Type): Route[] {
  const prefix = String(Reflect.getMetadata(PATH_METADATA, controller) ?? '');
  const prototype = controller.prototype as Record<string, unknown>;
  return Object.getOwnPropertyNames(prototype).flatMap((handler) => {
    const method = handler === 'constructor' ? undefined : prototype[handler];
    if (typeof method !== 'function' || !Reflect.hasMetadata(METHOD_METADATA, method)) return [];
    return [routeOf(controller, handler, method, prefix)];
  });
}

/** A route without its access or its description is a mistake that must stop the start. */
function routeOf(controller: Type, handler: string, method: object, prefix: string): Route {
  const access = Reflect.getMetadata(ACCESS, method) as Access | undefined;
  const description = Reflect.getMetadata(DESCRIPTION, method) as Description | undefined;
  const name = `${controller.name}.${handler}`;
  if (access === undefined) throw new TypeError(`${name} says not who may call it: add @Access(…).`);
  if (description === undefined) throw new TypeError(`${name} has no description: add @Describe(…).`);
  const verb = Reflect.getMetadata(METHOD_METADATA, method) as RequestMethod;
  const path = String(Reflect.getMetadata(PATH_METADATA, method) ?? '');
  return {
    method: String(RequestMethod[verb]),
    path: `/${[prefix, path]
      .map((part) => part.replace(/^\/+|\/+$/g, ''))
      .filter(Boolean)
      .join('/')}`,
    access,
    rate: Reflect.getMetadata(RATE, method) as RatePolicyName | undefined,
    description,
    schemas: schemasOf(controller, handler),
    controller: controller.name,
    handler,
  };
}

function schemasOf(controller: Type, handler: string): Route['schemas'] {
  const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler) ?? {}) as Record<
    string,
    { schema?: ZodType }
  >;
  const schemas: { -readonly [Kind in keyof Route['schemas']]: Route['schemas'][Kind] } = {};
  for (const [key, { schema }] of Object.entries(parameters)) {
    const kind = PARAMETER_KINDS[Number(key.split(':', 1)[0])];
    if (kind !== undefined && schema !== undefined) schemas[kind] = schema;
  }
  return schemas;
}

function patternOf(path: string): RegExp {
  const source = path
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}$`);
}

import { CONTROLLERS } from '../app.module.js';
import { RouteTable } from '../http/route-table.js';
import { openApiOf } from './openapi.js';

const table = RouteTable.of(CONTROLLERS);
const document = JSON.parse(JSON.stringify(openApiOf(table))) as {
  openapi: string;
  paths: Record<
    string,
    Record<string, { security?: unknown; parameters: Array<{ name: string; schema: object }> }>
  >;
  components: { schemas: Record<string, object> };
};

describe('the OpenAPI document', () => {
  it.each(table.routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
    'has %s',
    (_name, route) => {
      const operation =
        document.paths[route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}')]?.[route.method.toLowerCase()];
      expect(operation).toBeDefined();
      expect(operation?.security).toEqual(route.access === 'anonymous' ? [] : undefined);
      const names = operation?.parameters.map(({ name }) => name) ?? [];
      for (const [, name] of route.path.matchAll(/:([A-Za-z]+)/g)) expect(names).toContain(name);
      if (route.method === 'POST') expect(names).toContain('Idempotency-Key');
    },
  );

  it('is of version 3.1 and refers only to schemas that it has', () => {
    expect(document.openapi).toBe('3.1.0');
    const text = JSON.stringify(document);
    const referred = [...text.matchAll(/"#\/components\/schemas\/([A-Za-z]+)"/g)].map(([, name]) => name);
    expect(referred.length).toBeGreaterThan(20);
    for (const name of referred) expect(Object.keys(document.components.schemas)).toContain(name);
    expect(text).not.toContain('$defs');
  });

  it('says what a request must be', () => {
    expect(document.components.schemas['ExecRequest']).toMatchObject({
      type: 'object',
      additionalProperties: false,
      properties: { command: { type: 'string' }, argv: { type: 'array' }, timeoutSeconds: { minimum: 1 } },
    });
    expect(document.components.schemas['Exec']).toMatchObject({ properties: { id: { type: 'string' } } });
    const list = document.paths['/v1/execs']?.['get']?.parameters.find(({ name }) => name === 'limit');
    expect(list?.schema).toMatchObject({ type: 'integer', minimum: 1, maximum: 200 });
  });
});

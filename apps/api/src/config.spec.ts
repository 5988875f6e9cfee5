import { readFileSync } from 'node:fs';
import { ConfigError, ConfigSchema, readConfig } from './config.js';

const COMPLETE = {
  BERTH_INSTANCE_ID: 'test',
  DATABASE_URL: 'postgres://berth@localhost/berth',
  TEMPORAL_ADDRESS: '127.0.0.1:7233',
  S3_ENDPOINT: 'http://127.0.0.1:9000',
  S3_ACCESS_KEY: 'access',
  S3_SECRET_KEY: 'very-secret-key',
  BERTH_BASE_IMAGE: 'berth/base:bookworm-1',
  BERTH_ADMIN_SECRET: 'an-admin-secret-of-tests',
};

function messageOf(environment: Record<string, string>): string {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('The configuration was accepted.');
}

describe('configuration of the API', () => {
  it('is complete with the required variables and frozen', () => {
    const config = readConfig(COMPLETE);
    expect(config).toMatchObject({ host: '127.0.0.1', port: 3_000, logLevel: 'info' });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it.each(Object.keys(COMPLETE))('names %s when it is missing', (name) => {
    expect(messageOf({ ...COMPLETE, [name]: undefined as unknown as string })).toContain(
      `${name} is not set`,
    );
  });

  it('names a bad variable and never shows its value', () => {
    const message = messageOf({
      ...COMPLETE,
      BERTH_ADMIN_SECRET: 'hunter2',
      DATABASE_URL: 'mysql://u:pw@h/d',
    });
    expect(message).toContain('BERTH_ADMIN_SECRET is invalid');
    expect(message).toContain('DATABASE_URL is invalid');
    expect(message).not.toMatch(/hunter2|pw/);
  });

  it('is shown in full by .env.example', () => {
    const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');
    const lines = example.split('\n').filter((line) => /^[A-Z]/.test(line));
    const values = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    for (const name of Object.keys(ConfigSchema.shape)) expect(Object.keys(values)).toContain(name);
    expect(() => readConfig(values)).not.toThrow();
  });
});

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys of requests that made no row of their own; and an index for sweeps, so that they never read what has ended. */
export class IdempotencyKeys1700000000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE "idempotency_keys" (
        "tenant_id" text NOT NULL,
        "key_id" uuid NOT NULL,
        "owner_id" text NOT NULL,
        "request_hash" text NOT NULL,
        "resource_id" uuid NOT NULL,
        "created_at" timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY ("tenant_id", "key_id")
      )`);
    await runner.query(`CREATE INDEX "idempotency_keys_age" ON "idempotency_keys" ("created_at")`);
    await runner.query(`
      CREATE INDEX "execs_unended" ON "execs" ("created_at")
        WHERE "state" IN ('queued', 'starting', 'running')`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX "execs_unended"`);
    await runner.query(`DROP TABLE "idempotency_keys"`);
  }
}

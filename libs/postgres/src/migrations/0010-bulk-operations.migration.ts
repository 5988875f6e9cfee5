import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Bulk operations with their items, and labels of sandboxes to select them by. */
export class BulkOperations1700000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "sandboxes" ADD COLUMN "labels" jsonb NOT NULL DEFAULT '{}'`);
    await runner.query(`
      CREATE TABLE "bulk_operations" (
        "id" uuid PRIMARY KEY,
        "tenant_id" text NOT NULL,
        "owner_id" text,
        "work" jsonb NOT NULL,
        "selector" jsonb,
        "concurrency_max" integer NOT NULL,
        "delay_ms" integer NOT NULL,
        "failure_budget" integer,
        "state" text NOT NULL,
        "round" integer NOT NULL DEFAULT 1,
        "pause_no" integer NOT NULL DEFAULT 0,
        "pause" jsonb,
        "failures_forgiven" integer NOT NULL DEFAULT 0,
        "failure" jsonb,
        "request_hash" text NOT NULL,
        "last_begun_at" timestamptz,
        "attention_since" timestamptz,
        "verified_at" timestamptz,
        "created_at" timestamptz NOT NULL DEFAULT now(),
        "started_at" timestamptz,
        "finished_at" timestamptz
      )`);
    await runner.query(
      `CREATE INDEX "bulk_operations_list" ON "bulk_operations" ("tenant_id", "created_at", "id")`,
    );
    await runner.query(`
      CREATE INDEX "bulk_operations_unattended" ON "bulk_operations" ("attention_since")
        WHERE "attention_since" IS NOT NULL`);
    await runner.query(`
      CREATE INDEX "bulk_operations_unended" ON "bulk_operations" ("created_at") WHERE "finished_at" IS NULL`);
    await runner.query(`
      CREATE TABLE "bulk_items" (
        "bulk_id" uuid NOT NULL,
        "item_no" integer NOT NULL,
        "tenant_id" text NOT NULL,
        "sandbox_id" uuid NOT NULL,
        "owner_id" text NOT NULL,
        "state" text NOT NULL DEFAULT 'pending',
        "attempts" integer NOT NULL DEFAULT 0,
        "operation_id" uuid,
        "exec_id" uuid,
        "failure" jsonb,
        "started_at" timestamptz,
        "finished_at" timestamptz,
        PRIMARY KEY ("bulk_id", "item_no")
      )`);
    await runner.query(`CREATE UNIQUE INDEX "bulk_items_sandbox" ON "bulk_items" ("bulk_id", "sandbox_id")`);
    await runner.query(`CREATE INDEX "bulk_items_state" ON "bulk_items" ("bulk_id", "state", "item_no")`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE "bulk_items"`);
    await runner.query(`DROP TABLE "bulk_operations"`);
    await runner.query(`ALTER TABLE "sandboxes" DROP COLUMN "labels"`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How a sandbox is asked whether it is well, what it said, and when it is asked again. */
export class SandboxHealth1700000000014 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "sandboxes"
        ADD COLUMN "health_check" jsonb,
        ADD COLUMN "health" jsonb,
        ADD COLUMN "health_due_at" timestamptz`);
    await runner.query(`
      CREATE INDEX "sandboxes_health" ON "sandboxes" ("host_id", "health_due_at") WHERE "health_check" IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX "sandboxes_health"`);
    await runner.query(`
      ALTER TABLE "sandboxes" DROP COLUMN "health_check", DROP COLUMN "health", DROP COLUMN "health_due_at"`);
  }
}

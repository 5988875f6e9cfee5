import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the request of an operation said, whether its run parks, and which parked run it replaced. */
export class OperationRequests1700000000006 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE "operations"
        ADD COLUMN "options" jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN "parks" boolean NOT NULL DEFAULT true,
        ADD COLUMN "took_over" jsonb`);
    await runner.query(`
      CREATE INDEX "operations_parked" ON "operations" ("tenant_id", "created_at", "id")
        WHERE "state" = 'parked'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX "operations_parked"`);
    await runner.query(`
      ALTER TABLE "operations" DROP COLUMN "options", DROP COLUMN "parks", DROP COLUMN "took_over"`);
  }
}

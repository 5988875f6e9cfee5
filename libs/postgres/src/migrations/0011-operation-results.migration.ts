import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a run has brought about, as data. */
export class OperationResults1700000000011 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "operations" ADD COLUMN "result" jsonb`);
    await runner.query(`
      ALTER TABLE "operations" ADD CONSTRAINT "operations_result_bytes"
        CHECK (octet_length("result"::text) <= 16384)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "operations" DROP COLUMN "result"`);
  }
}

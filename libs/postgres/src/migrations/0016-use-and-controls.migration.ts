import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Until when a sandbox is in use that has no row for it, and which controls of its run a bulk operation has taken already. */
export class UseAndControls1700000000016 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "sandboxes" ADD COLUMN "used_until" timestamptz`);
    await runner.query(
      `ALTER TABLE "bulk_operations" ADD COLUMN "taken_controls" text[] NOT NULL DEFAULT '{}'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "bulk_operations" DROP COLUMN "taken_controls"`);
    await runner.query(`ALTER TABLE "sandboxes" DROP COLUMN "used_until"`);
  }
}

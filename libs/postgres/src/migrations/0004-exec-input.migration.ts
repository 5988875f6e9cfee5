import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Kept apart from the request, which is read far more often than the input is. */
export class ExecInput1700000000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "execs" ADD "inline_stdin" bytea`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE "execs" DROP COLUMN "inline_stdin"`);
  }
}

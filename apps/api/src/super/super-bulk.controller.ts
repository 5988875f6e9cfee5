import { Body, Controller, Inject, Post } from '@nestjs/common';
import { DEFAULT_SANDBOX_NAME, limits } from '#domain';
import { z } from 'zod';
import { Access } from '../auth/access.js';
import { delaySecondsOf } from '../bulk/bulk.input.js';
import { BulkService } from '../bulk/bulk.service.js';
import { bulkPath, bulkView, BulkView } from '../bulk/bulk.view.js';
import { accepted } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { nameText } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';

const USERS_MAX = 1_000;

const SuperBulkRestartBody = z
  .strictObject({
    userIds: z.array(nameText).min(1).max(USERS_MAX),
    delayMs: z
      .int()
      .min(0)
      .max(limits.BULK_DELAY_SECONDS_MAX * 1_000)
      .optional(),
  })
  .meta({ id: 'SuperBulkRestartRequest' });

const SuperBulkRestartAccepted = z
  .object({ bulkId: z.string(), status: BulkView.shape.state, total: z.int(), pollUrl: z.string() })
  .meta({ id: 'SuperBulkRestartAccepted' });

/** The predecessor's address for a bulk restart. */
@Controller('api/super/bulk')
export class SuperBulkController {
  constructor(@Inject(BulkService) private readonly bulks: BulkService) {}

  @Post('restart')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'super',
    summary: 'Restart the sandboxes named `default` of these users, each once the one before it has ended',
    answers: { 202: SuperBulkRestartAccepted },
  })
  async restart(
    @CurrentCall() call: Call,
    @Body({ schema: SuperBulkRestartBody }) body: z.infer<typeof SuperBulkRestartBody>,
  ) {
    const { bulk } = await this.bulks.create(call, {
      action: 'restart',
      selector: { owner: body.userIds, name: [DEFAULT_SANDBOX_NAME] },
      maxConcurrency: 1,
      delaySeconds: delaySecondsOf(body.delayMs ?? 0),
    });
    const { total, state } = bulkView(bulk);
    const pollUrl = bulkPath(bulk.id);
    return accepted({ bulkId: bulk.id, status: state, total, pollUrl }, { location: pollUrl });
  }
}

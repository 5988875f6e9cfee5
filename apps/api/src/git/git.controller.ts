import { Body, Controller, Inject, Param, Post, Query } from '@nestjs/common';
import type { GitKind } from '#domain';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { SandboxParams } from '../execs/exec.input.js';
import { accepted } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { WaitQuery } from '../http/inputs.js';
import { OperationView, operationView } from '../operations/operation.view.js';
import { Rate } from '../rate/rate-policies.js';
import {
  CloneBody,
  CommitAndPushBody,
  CommitBody,
  PullBody,
  PullRequestBody,
  PushBody,
  type GitBody,
} from './git.input.js';
import { GitService } from './git.service.js';

const ANSWERS = { 202: OperationView };
type Params = z.infer<typeof SandboxParams>;
type Wait = z.infer<typeof WaitQuery>;

/** Operations on a repository in a sandbox that runs. What each has brought about is the `result` of its run. */
@Controller('v1/sandboxes')
export class GitController {
  constructor(@Inject(GitService) private readonly git: GitService) {}

  @Post(':sandboxId/git/clone')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'git', summary: 'Clone a repository, as a whole or not at all', answers: ANSWERS })
  async clone(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: CloneBody }) body: z.infer<typeof CloneBody>,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    return await this.request(call, sandboxId, 'git_clone', body, wait);
  }

  @Post(':sandboxId/git/commit')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'git', summary: 'Commit what has changed, once', answers: ANSWERS })
  async commit(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: CommitBody }) body: z.infer<typeof CommitBody>,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    return await this.request(call, sandboxId, 'git_commit', body, wait);
  }

  @Post(':sandboxId/git/push')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'git', summary: 'Push a branch, once', answers: ANSWERS })
  async push(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: PushBody }) body: z.infer<typeof PushBody>,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    return await this.request(call, sandboxId, 'git_push', body, wait);
  }

  @Post(':sandboxId/git/commit-and-push')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'git', summary: 'Commit and push as one run', answers: ANSWERS })
  async commitAndPush(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: CommitAndPushBody }) body: z.infer<typeof CommitAndPushBody>,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    return await this.request(call, sandboxId, 'git_commit_and_push', body, wait);
  }

  @Post(':sandboxId/git/pull')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'git',
    summary: 'Bring the branch straight ahead to where the remote is',
    answers: ANSWERS,
  })
  async pull(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: PullBody }) body: z.infer<typeof PullBody>,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    return await this.request(call, sandboxId, 'git_pull', body, wait);
  }

  @Post(':sandboxId/git/pull-requests')
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'git',
    summary: 'Open a pull request at the forge of the remote, unless the same is open',
    answers: ANSWERS,
  })
  async openPullRequest(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: PullRequestBody }) body: z.infer<typeof PullRequestBody>,
    @Query({ schema: WaitQuery }) { wait }: Wait,
  ) {
    return await this.request(call, sandboxId, 'git_pull_request', body, wait);
  }

  private async request(call: Call, sandboxId: string, kind: GitKind, body: GitBody, wait?: number) {
    const view = operationView(await this.git.request(call, sandboxId, kind, body, wait));
    return accepted(view, { location: view.links['self'] ?? '' });
  }
}

import { Body, Controller, Get, Inject, Param, Post, Query } from '@nestjs/common';
import { limits } from '#domain';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { SandboxParams } from '../execs/exec.input.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { present } from '../http/inputs.js';
import { Rate } from '../rate/rate-policies.js';
import { BranchBody, BranchesQuery, DiffQuery, LogQuery, PathQuery } from './git.input.js';
import { GitService } from './git.service.js';
import { GitBranch, GitBranches, GitDiff, GitLog, GitStatus, seenAs } from './git.view.js';

type Params = z.infer<typeof SandboxParams>;

/** What is answered at once about a repository in a sandbox that runs. No remote is asked. */
@Controller('v1/sandboxes')
export class GitLooksController {
  constructor(@Inject(GitService) private readonly git: GitService) {}

  @Get(':sandboxId/git/status')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'git', summary: 'What has changed in a working tree', answers: { 200: GitStatus } })
  async status(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: PathQuery }) { path }: z.infer<typeof PathQuery>,
  ) {
    const { status, truncated } = await this.git.look(call, sandboxId, { action: 'status', path });
    return seenAs(GitStatus, { ...status, truncated });
  }

  @Get(':sandboxId/git/diff')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'git', summary: 'The difference, as text', answers: { 200: GitDiff } })
  async diff(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: DiffQuery }) query: z.infer<typeof DiffQuery>,
  ) {
    return seenAs(GitDiff, await this.git.look(call, sandboxId, { action: 'diff', ...present(query) }));
  }

  @Get(':sandboxId/git/log')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'git', summary: 'The history, newest first', answers: { 200: GitLog } })
  async log(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: LogQuery }) query: z.infer<typeof LogQuery>,
  ) {
    const asked = { action: 'log', limit: limits.PAGE_SIZE_DEFAULT, ...present(query) } as const;
    return seenAs(GitLog, await this.git.look(call, sandboxId, asked));
  }

  @Get(':sandboxId/git/branches')
  @Access('admin')
  @Rate('read')
  @Describe({ tag: 'git', summary: 'The branches, local ones first', answers: { 200: GitBranches } })
  async branches(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Query({ schema: BranchesQuery }) { path, limit, cursor }: z.infer<typeof BranchesQuery>,
  ) {
    const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString();
    const asked = { action: 'branches', path, ...present({ limit, after }) } as const;
    const { branches, truncated, next } = await this.git.look(call, sandboxId, asked);
    const nextCursor = next === '' ? null : Buffer.from(next).toString('base64url');
    return seenAs(GitBranches, { branches, truncated, nextCursor });
  }

  @Post(':sandboxId/git/branches')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'git', summary: 'Create a branch, switch to one, or both', answers: { 200: GitBranch } })
  async changeBranch(
    @CurrentCall() call: Call,
    @Param({ schema: SandboxParams }) { sandboxId }: Params,
    @Body({ schema: BranchBody }) body: z.infer<typeof BranchBody>,
  ) {
    return await this.git.changeBranch(call, sandboxId, present(body));
  }
}

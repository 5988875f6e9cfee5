import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { Access } from '../auth/access.js';
import { Answer } from '../http/answer.js';
import { CurrentCall, type Call } from '../http/call.js';
import { Describe } from '../http/describe.js';
import { Rate } from '../rate/rate-policies.js';
import { CredentialBody, CredentialParams, CredentialsQuery } from './credential.input.js';
import { CredentialPage, CredentialView, credentialView } from './credential.view.js';
import { CredentialsService } from './credentials.service.js';

type Params = z.infer<typeof CredentialParams>;

@Controller('v1/credentials')
export class CredentialsController {
  constructor(@Inject(CredentialsService) private readonly credentials: CredentialsService) {}

  @Post()
  @Access('admin')
  @Rate('write')
  @Describe({
    tag: 'credentials',
    summary: 'Store a credential for a host',
    answers: { 201: CredentialView },
  })
  async create(@CurrentCall() call: Call, @Body({ schema: CredentialBody }) body: CredentialBody) {
    const view = credentialView(await this.credentials.create(call, body));
    return new Answer(201, view, { location: view.links['self'] ?? '' });
  }

  @Get()
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'credentials',
    summary: 'List credentials, newest first',
    answers: { 200: CredentialPage },
  })
  async list(@CurrentCall() call: Call, @Query({ schema: CredentialsQuery }) query: CredentialsQuery) {
    const { items, nextCursor } = await this.credentials.list(call, query);
    return { items: items.map(credentialView), nextCursor };
  }

  @Get(':credentialId')
  @Access('admin')
  @Rate('read')
  @Describe({
    tag: 'credentials',
    summary: 'Get a credential, without its secret',
    answers: { 200: CredentialView },
  })
  async get(@CurrentCall() call: Call, @Param({ schema: CredentialParams }) { credentialId }: Params) {
    return credentialView(await this.credentials.get(call, credentialId));
  }

  @Delete(':credentialId')
  @Access('admin')
  @Rate('write')
  @Describe({ tag: 'credentials', summary: 'Delete a credential', answers: { 200: CredentialView } })
  async remove(@CurrentCall() call: Call, @Param({ schema: CredentialParams }) { credentialId }: Params) {
    return credentialView(await this.credentials.remove(call, credentialId));
  }
}

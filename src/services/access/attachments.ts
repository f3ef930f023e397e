import type { Clock } from '../../core/base/clock.ts';
import { TidemillError } from '../../core/domain/errors.ts';
import type { AttachmentRecord } from '../../core/domain/identities.ts';
import { LIMITS } from '../../core/domain/limits.ts';
import type { AttachedView, EntityKind, EntityRef, PolicyRef } from '../../core/ports/identities.ts';
import type { Directory } from './directory.ts';
import { checkRoom } from './input.ts';
import type { Policies } from './policies.ts';

const CODES = {
  user: {
    missing: 'EntityNotExist.User',
    attached: 'EntityAlreadyExists.User.Policy',
    detached: 'EntityNotExist.User.Policy',
  },
  group: {
    missing: 'EntityNotExist.Group',
    attached: 'EntityAlreadyExists.Group.Policy',
    detached: 'EntityNotExist.Group.Policy',
  },
  role: {
    missing: 'EntityNotExist.Role',
    attached: 'EntityAlreadyExists.Role.Policy',
    detached: 'EntityNotExist.Role.Policy',
  },
} as const;

/** Which policies are attached to users, groups and roles: kept with them. */
export class Attachments {
  private readonly directory: Directory;
  private readonly policies: Policies;
  private readonly clock: Clock;

  constructor(directory: Directory, policies: Policies, clock: Clock) {
    this.directory = directory;
    this.policies = policies;
    this.clock = clock;
  }

  attach(account: string, entity: EntityRef, policy: PolicyRef): Promise<void> {
    return this.directory.exclusive(account, () => this.add(account, entity, policy));
  }

  private async add(account: string, entity: EntityRef, policy: PolicyRef): Promise<void> {
    this.policies.get(account, policy);
    const { type, name } = policy;
    const attachedAt = this.clock.now();
    await this.change(account, entity, (attached) => {
      if (attached.some((each) => each.type === type && each.name === name)) {
        throw new TidemillError(
          CODES[entity.kind].attached,
          `The policy '${name}' is attached to the ${entity.kind} '${entity.name}' already`,
        );
      }
      checkRoom(
        `policies attached to one ${entity.kind}`,
        'attachedPolicies',
        attached.length,
        LIMITS.attachedPolicies,
      );
      return [...attached, { type, name, attachedAt }];
    });
  }

  async detach(account: string, entity: EntityRef, { type, name }: PolicyRef): Promise<void> {
    await this.change(account, entity, (attached) => {
      const rest = attached.filter((each) => each.type !== type || each.name !== name);
      if (rest.length < attached.length) return rest;
      throw new TidemillError(
        CODES[entity.kind].detached,
        `The policy '${name}' is not attached to the ${entity.kind} '${entity.name}'`,
      );
    });
  }

  of(account: string, { kind, name }: EntityRef): readonly AttachedView[] {
    const record = this.directory.get(kind, account, name);
    if (record === undefined) throw noEntity(kind, name);
    return record.policies.flatMap((attached) => {
      const { description, defaultVersion } = this.policies.get(account, attached);
      return { ...attached, description, defaultVersion };
    });
  }

  private async change(
    account: string,
    { kind, name }: EntityRef,
    change: (attached: readonly AttachmentRecord[]) => readonly AttachmentRecord[],
  ): Promise<void> {
    const written = await this.directory.change(kind, account, name, (record) => ({
      ...record,
      policies: change(record.policies),
    }));
    if (written === undefined) throw noEntity(kind, name);
  }
}

function noEntity(kind: EntityKind, name: string): TidemillError {
  return new TidemillError(CODES[kind].missing, `The ${kind} '${name}' does not exist`);
}

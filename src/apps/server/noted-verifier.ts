import { IncomingMessage } from 'node:http';
import { Acs3Verifier, type VerifiedRequest } from '../../doors/wire/acs3-verifier.ts';
import type { RequestHead } from '../../doors/wire/exchange.ts';
import type { RequestAudit } from './request-audit.ts';

type Deps = ConstructorParameters<typeof Acs3Verifier>[0];

/** Tells the audit who signed a request that `node:http` read; plain calls of functions are none of its business. */
export class NotedVerifier extends Acs3Verifier {
  private readonly audit: Pick<RequestAudit, 'signed'>;

  constructor(deps: Deps, audit: Pick<RequestAudit, 'signed'>) {
    super(deps);
    this.audit = audit;
  }

  override verifyApi(req: RequestHead): VerifiedRequest {
    const verified = super.verifyApi(req);
    if (req instanceof IncomingMessage) this.audit.signed(req, verified.principal);
    return verified;
  }
}

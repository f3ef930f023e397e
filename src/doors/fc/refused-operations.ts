import { notSupported, TidemillError } from '../../core/domain/errors.ts';
import { type Operation, param } from './operation.ts';

/** Operations of the dialect that this platform does not have: known by name, refused with what to do instead. */
function refused(name: string, method: Operation['method'], path: string, remedy: string): Operation {
  return {
    name,
    method,
    path,
    query: 'any',
    body: 'any',
    run: () => Promise.reject(notSupported(`The operation ${name}`, remedy)),
  };
}

const NO_PAUSE = 'Leave it out: a session lasts until its time is over or it is deleted.';
const NO_DOMAINS = 'Call the function by the URL of its http trigger.';
const NO_VPC = 'Functions reach the network of their machine; leave VPC settings out.';

const SESSIONS = '/functions/:functionName/sessions';

export const refusedOperations: readonly Operation[] = [
  refused('CreateCustomDomain', 'POST', '/custom-domains', NO_DOMAINS),
  refused('UpdateCustomDomain', 'PUT', '/custom-domains/:domainName', NO_DOMAINS),
  {
    name: 'ListCustomDomains',
    method: 'GET',
    path: '/custom-domains',
    query: ['prefix', 'nextToken', 'limit'],
    run: async () => ({ customDomains: [] }),
  },
  {
    name: 'GetCustomDomain',
    method: 'GET',
    path: '/custom-domains/:domainName',
    run: (_context, request) => Promise.reject(noDomain(param(request, 'domainName'))),
  },
  {
    name: 'DeleteCustomDomain',
    method: 'DELETE',
    path: '/custom-domains/:domainName',
    run: (_context, request) => Promise.reject(noDomain(param(request, 'domainName'))),
  },
  {
    name: 'InstanceExec',
    method: 'GET',
    path: '/functions/:functionName/instances/:instanceId/exec',
    query: 'any',
    run: () =>
      Promise.reject(
        new TidemillError('InvalidArgument', 'The operation InstanceExec is a WebSocket: ask for the upgrade', {
          remedy: 'Use tidemill exec, or a WebSocket client.',
        }),
      ),
  },
  refused('PauseSession', 'PUT', `${SESSIONS}/:sessionId/pause`, NO_PAUSE),
  refused('ResumeSession', 'PUT', `${SESSIONS}/:sessionId/resume`, NO_PAUSE),
  refused('ChangeResourceGroup', 'PUT', '/resource-groups', 'Use tags to group functions.'),
  refused('CreateVpcBinding', 'POST', '/functions/:functionName/vpc-bindings', NO_VPC),
  refused('DeleteVpcBinding', 'DELETE', '/functions/:functionName/vpc-bindings/:vpcId', NO_VPC),
];

function noDomain(name: string): TidemillError {
  return new TidemillError('DomainNameNotFound', `domain name '${name}' does not exist`, { remedy: NO_DOMAINS });
}

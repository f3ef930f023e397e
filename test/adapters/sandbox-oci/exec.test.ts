import { execSuite } from '../../../src/core/ports/exec.suite.ts';
import { openWorld, whyNoContainers } from './oci-world.ts';

execSuite('OCI containers', { terminals: true, confined: true }, () => openWorld(), await whyNoContainers());

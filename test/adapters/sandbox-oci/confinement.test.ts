import { confinementSuite } from '../../../src/core/ports/sandbox-confinement.suite.ts';
import { openWorld, whyNoContainers } from './oci-world.ts';

confinementSuite('OCI containers', () => openWorld(), await whyNoContainers());

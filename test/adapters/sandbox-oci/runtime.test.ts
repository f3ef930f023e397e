import { sandboxSuite } from '../../../src/core/ports/sandbox.suite.ts';
import { openWorld, whyNoContainers } from './oci-world.ts';

sandboxSuite('OCI containers', () => openWorld(), await whyNoContainers());

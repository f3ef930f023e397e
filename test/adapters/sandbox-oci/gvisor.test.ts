import { confinementSuite } from '../../../src/core/ports/sandbox-confinement.suite.ts';
import { sandboxSuite } from '../../../src/core/ports/sandbox.suite.ts';
import { openWorld, whyNot } from './oci-world.ts';

const skip = await whyNot('gvisor');
sandboxSuite('gVisor', () => openWorld([], 'gvisor'), skip);
confinementSuite('gVisor', () => openWorld([], 'gvisor'), skip, 'own');

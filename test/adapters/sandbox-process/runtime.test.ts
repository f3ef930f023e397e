import { confinementSuite } from '../../../src/core/ports/sandbox-confinement.suite.ts';
import { sandboxSuite } from '../../../src/core/ports/sandbox.suite.ts';
import { openWorld } from './process-world.ts';

const skip = process.platform === 'linux' ? undefined : 'needs Linux';

sandboxSuite('plain processes', () => Promise.resolve(openWorld()), skip);
confinementSuite(
  'plain processes',
  () => Promise.resolve(openWorld()),
  'a plain process is not confined, which the tier says',
);

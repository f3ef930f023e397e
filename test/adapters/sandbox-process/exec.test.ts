import { execSuite } from '../../../src/core/ports/exec.suite.ts';
import { openWorld } from './process-world.ts';

const skip = process.platform === 'linux' ? undefined : 'needs Linux';

execSuite('plain processes', { terminals: false, confined: false }, () => Promise.resolve(openWorld()), skip);

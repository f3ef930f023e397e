import { readConnection } from './api/connection.ts';
import { FcClient } from './api/fc-client.ts';
import { ObjectsClient } from './api/objects-client.ts';
import type { Output } from './terminal/output.ts';

/** What every command gets. Connections are read when first used: `help` and `doctor` need none. */
export class Context {
  readonly output: Output;
  readonly env: NodeJS.ProcessEnv;
  private fcClient: FcClient | undefined;
  private objectsClient: ObjectsClient | undefined;

  constructor(output: Output, env: NodeJS.ProcessEnv) {
    this.output = output;
    this.env = env;
  }

  get client(): FcClient {
    this.fcClient ??= new FcClient(readConnection(this.env));
    return this.fcClient;
  }

  get objects(): ObjectsClient {
    this.objectsClient ??= new ObjectsClient(this.client.connection);
    return this.objectsClient;
  }
}

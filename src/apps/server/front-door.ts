import type { IncomingMessage, ServerResponse } from 'node:http';

interface Door {
  matches(req: IncomingMessage): boolean;
  handle(req: IncomingMessage, res: ServerResponse): void;
}

/**
 * Gives each request to the first door that knows it, and the rest to `otherwise`. Order matters on the warm path: the doors
 * that take most calls come first.
 */
export function frontDoor(doors: readonly Door[], otherwise: Pick<Door, 'handle'>) {
  return (req: IncomingMessage, res: ServerResponse): void => {
    for (const door of doors) {
      if (door.matches(req)) {
        door.handle(req, res);
        return;
      }
    }
    otherwise.handle(req, res);
  };
}

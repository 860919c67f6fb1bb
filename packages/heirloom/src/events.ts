// Events with types: who listens to what. A listener that throws does not disturb the one who tells.

type Listener<Event> = (event: Event) => void;

/** Those who listen, by the name of the event. `Events` says for each name what they are given. */
export type Listeners<Events> = { [Name in keyof Events]?: readonly Listener<Events[Name]>[] };

/** Calls `listener` for every event of this name from now on. */
export function addListener<Events, Name extends keyof Events>(
  listeners: Listeners<Events>,
  name: Name,
  listener: Listener<Events[Name]>,
): void {
  listeners[name] = [...(listeners[name] ?? []), listener];
}

/** Stops what {@link addListener} began. */
export function removeListener<Events, Name extends keyof Events>(
  listeners: Listeners<Events>,
  name: Name,
  listener: Listener<Events[Name]>,
): void {
  listeners[name] = (listeners[name] ?? []).filter((other) => other !== listener);
}

/** Calls all listeners of an event. What one throws is thrown again outside, as an uncaught exception. */
export function emitEvent<Events, Name extends keyof Events>(
  listeners: Listeners<Events>,
  name: Name,
  event: Events[Name],
): void {
  const called = listeners[name];
  if (called === undefined) return;
  for (const listener of called) {
    try {
      listener(event);
    } catch (error) {
      throwOutside(error);
    }
  }
}

/** Throws outside of what runs now, as an uncaught exception. */
export function throwOutside(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

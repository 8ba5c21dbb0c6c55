const LIGHT_EVENT = "lighthouse:light";

/** What the model asks for: the name of its tool, and what it filled in. */
export type LightEvent = {
  name: string;
  parameters: Record<string, unknown>;
};

/** Tells the scene behind the chat to change a lamp. */
export function dispatchLightEvent(event: LightEvent) {
  if (typeof window === "undefined") return;
  window.dispatchEvent(new CustomEvent(LIGHT_EVENT, { detail: event }));
}

export function onLightEvent(listener: (event: LightEvent) => void) {
  const handle = (event: Event) => {
    listener((event as CustomEvent<LightEvent>).detail);
  };
  window.addEventListener(LIGHT_EVENT, handle);
  return () => window.removeEventListener(LIGHT_EVENT, handle);
}

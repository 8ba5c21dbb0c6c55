// A document for React. Everything that talks to the network stays Node's own.

import { Window } from "happy-dom";

const dom = new Window({ url: "http://127.0.0.1/" });

Object.assign(globalThis, {
	window: dom,
	document: dom.document,
	sessionStorage: dom.sessionStorage,
	HTMLElement: dom.HTMLElement,
	requestAnimationFrame: (callback: () => void) =>
		Number(setTimeout(callback, 16)),
	cancelAnimationFrame: (frame: number) => {
		clearTimeout(frame);
	},
});
Object.assign(dom, { fetch: globalThis.fetch });

import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		// For machines that have other work: no test waits for the clock, all wait for what they assert.
		testTimeout: 120_000,
		hookTimeout: 60_000,
		setupFiles: ["tests/dom.ts"],
	},
});

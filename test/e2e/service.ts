import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, inject } from "vitest";
import type { Offline } from "../support/offline.ts";

/** No sandbox, because root has none, no proxy of the shell, and nothing that makes a browser contact its vendor. */
const FLAGS = [
  "--no-sandbox",
  "--no-proxy-server",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser's first start, on a busy machine. */
const START_MS = 180_000;

/** The shared service, or one that a test started. */
type Service = Pick<Offline, "api" | "env">;

/** Whether there is no browser, or no Python with the package redis: then tests are skipped. `setup.ts` says why. */
export const NO_CHROMIUM = inject("chromium") === undefined;
export const NO_PYTHON = inject("python") === undefined;

/** The service that all test files share. */
export function sharedService(): Service {
  const env = inject("service");
  return { api: `http://localhost:${env.ORDERS_API_PORT}`, env };
}

/** The URL of a port of the service on this machine. */
export const urlOf = ({ env }: Service, part: "LAMBDA" | "REDIS" | "SCHEDULER" | "UPSTASH"): string =>
  `${part === "REDIS" ? "redis" : "http"}://127.0.0.1:${env[`ORDERS_${part}_PORT`]}`;

/**
 * Gives the calling test file a headless Chromium with a new profile. Without a Chromium there is none, and its tests are to
 * be skipped.
 * @param flags besides those that every test needs
 */
export function useBrowser(...flags: readonly string[]): { readonly current: Browser } {
  let browser: Browser | undefined;
  beforeAll(async () => {
    const executablePath = inject("chromium");
    if (executablePath) browser = await chromium.launch({ executablePath, args: [...FLAGS, ...flags] });
  }, START_MS);
  afterAll(() => browser?.close());
  return {
    get current() {
      if (!browser) throw new Error("There is no browser yet");
      return browser;
    },
  };
}

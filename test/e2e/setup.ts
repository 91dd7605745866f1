import type { TestProject } from "vitest/node";
import { startOffline } from "../support/offline.ts";
import { CHROMIUM, CURL, findProgram, PYTHON } from "../support/programs.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The environment of the `npm start` that all tests share. */
    service: Readonly<Record<string, string>>;
    chromium: string | undefined;
    curl: string | undefined;
    python: string | undefined;
  }
}

/** Finds what the tests need besides npm's packages, and starts the service that they share. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  provide("chromium", findProgram(CHROMIUM));
  provide("curl", findProgram(CURL));
  provide("python", findProgram(PYTHON));
  const { env, stop } = await startOffline();
  provide("service", Object.fromEntries(Object.entries(env).flatMap(([name, value = ""]) => [[name, value]])));
  return async () => {
    await stop();
  };
}

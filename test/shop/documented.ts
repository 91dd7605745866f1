import type { Page, Response } from "playwright-core";
import { expectDocumented, routeOf } from "../support/contract.ts";

/**
 * Holds every reply of the service that a page gets from now on against openapi.yaml.
 * @param api the service's address
 * @returns a function that ends this, once all replies so far have been read
 * @throws Error, the returned function, when openapi.yaml does not promise one of the replies
 */
export function watchReplies(page: Page, api: string): () => Promise<void> {
  const checked: Promise<unknown>[] = [];

  function watch(response: Response): void {
    if (!response.url().startsWith(`${api}/`)) return;
    // Kept until it is asked for: a rejection that nobody awaits would end the tests.
    checked.push(check(response).catch((error: unknown) => error));
  }

  page.on("response", watch);
  return async () => {
    page.off("response", watch);
    const faults = (await Promise.all(checked)).filter((fault) => fault !== undefined);
    if (faults.length > 0) throw new AggregateError(faults, faults.map(String).join("\n"));
  };
}

async function check(response: Response): Promise<void> {
  const route = routeOf(response.request().method(), new URL(response.url()).pathname);
  const body: unknown = await response.json();
  expectDocumented(route, { statusCode: response.status(), headers: response.headers(), body });
}

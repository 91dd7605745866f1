import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { ServiceError } from "../../lib/errors.ts";
import { listen } from "../../local/ports.ts";

/** What the test inventory asks for every product until a test says otherwise. */
export const PRICE = 19.9;

interface TestInventory {
  readonly url: string;
  /** The path of each question since the test began, as it came. */
  readonly questions: readonly string[];
  /** Answers every question from now on like this. */
  answerWith(answer: RequestListener): void;
  /** Knows every product at this price from now on. */
  sellAt(price: unknown): void;
  /** Lets every question from now on wait for `answer`. `asked` resolves at the first one. */
  hold(): { readonly asked: Promise<void>; answer(): void };
}

/** Gives the calling test file a product inventory of its own, which knows every product before each test. */
export function useInventory(): TestInventory {
  const questions: string[] = [];
  let answer = selling(PRICE);
  let url: string | undefined;

  const server = createServer((request, response) => {
    questions.push(request.url ?? "");
    answer(request, response);
  });
  beforeAll(async () => {
    url = await listen(server);
  });
  beforeEach(() => {
    questions.length = 0;
    answer = selling(PRICE);
  });
  afterAll(async () => {
    server.closeAllConnections();
    await once(server.close(), "close");
  });

  return {
    get url() {
      if (url === undefined) throw new Error("The inventory runs inside hooks and tests only: read it there");
      return url;
    },
    questions,
    answerWith(other) {
      answer = other;
    },
    sellAt(price) {
      answer = selling(price);
    },
    hold() {
      const asked = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      answer = async (request, response) => {
        asked.resolve();
        await held.promise;
        selling(PRICE)(request, response);
      };
      return { asked: asked.promise, answer: held.resolve };
    },
  };
}

/** The product that a question is about. */
export function productIn(path: string): string {
  return decodeURIComponent(path.replace(/^.*\/products\//, ""));
}

/**
 * Replies as the shop's own product service does: with `pk` and no `id`.
 * @param price of every product; a function is called for each reply
 */
export function selling(price: unknown): RequestListener {
  return ({ url = "" }, response) => {
    const product = { pk: productIn(url), name: "tea", price: typeof price === "function" ? price() : price };
    response.setHeader("content-type", "application/json").end(JSON.stringify({ ...product, quantity: 12 }));
  };
}

/** The error of a question, and what a log would show of it. */
export async function failureOf(question: Promise<unknown>): Promise<{ error: ServiceError; shown: string }> {
  const error: unknown = await question.then(
    (price) => expect.unreachable(`The price is ${price}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof ServiceError)) throw error;
  let shown = "";
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    shown += `${cause.stack} ${JSON.stringify(cause)}`;
  }
  return { error, shown };
}

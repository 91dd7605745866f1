import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { z } from "zod";
import type { DeadLetters } from "./dead-letters.ts";
import { SchedulerError } from "./errors.ts";
import { listSchedules } from "./list-schedules.ts";
import type { Members, Operations } from "./operations.ts";
import { denialReason } from "./request-guard.ts";
import { route } from "./routes.ts";
import type { ScheduleStore } from "./store.ts";

/** An Input of 256 KB with every character escaped, and room for the rest. */
const BODY_LIMIT_BYTES = 2 * 1024 * 1024;
const DEAD_LETTERS_PATH = "/_local/dead-letters";

const bodySchema = z.record(z.string(), z.unknown());

export interface HandlerOptions {
  readonly operations: Operations;
  readonly store: ScheduleStore;
  readonly deadLetters: DeadLetters;
  readonly log: (line: string) => void;
}

/** The REST-JSON protocol. https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html */
export function createHandler({ operations, store, deadLetters, log }: HandlerOptions): RequestListener {
  async function answer(request: IncomingMessage): Promise<object> {
    const { method = "", url = "", headers } = request;
    const foreign = denialReason(headers);
    if (foreign !== undefined) throw new SchedulerError(403, "AccessDeniedException", foreign);
    if (method === "GET" && url === DEAD_LETTERS_PATH) return deadLetters.list();
    refuseUnsigned(request);
    const { operation, members } = route(method, url);
    if (operation === "listSchedules") return listSchedules(store, members);
    if (operation !== "createSchedule") return operations[operation](members);
    return operations.createSchedule({ ...(await readBody(request)), ...members });
  }

  return (request, response) => {
    answer(request).then(
      (body) => reply(response, 200, body),
      (error: unknown) => {
        const known = error instanceof SchedulerError ? error : internalError(error);
        if (known !== error) log(`scheduler: a bug: ${error instanceof Error ? error.stack : String(error)}`);
        response.setHeader("x-amzn-errortype", known.type);
        reply(response, known.status, { Message: known.message });
      },
    );
  };
}

/** Refuses what carries no AWS signature, as AWS does. The signature itself is not checked. */
function refuseUnsigned(request: IncomingMessage): void {
  if (request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) return;
  throw new SchedulerError(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
}

async function readBody(request: IncomingMessage): Promise<Members> {
  const text = await readText(request);
  try {
    return bodySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SchedulerError(400, "SerializationException", "The body is not a JSON object.", { cause });
  }
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > BODY_LIMIT_BYTES) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new SchedulerError(400, "SerializationException", "The body broke off.", { cause });
  }
  if (size > BODY_LIMIT_BYTES) {
    throw new SchedulerError(413, "RequestEntityTooLargeException", "Request is too large.");
  }
  return Buffer.concat(chunks).toString();
}

function internalError(cause: unknown): SchedulerError {
  const message = "Unexpected error encountered while processing the request.";
  return new SchedulerError(500, "InternalServerException", message, { cause });
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json", "x-amzn-RequestId": randomUUID() });
  response.end(JSON.stringify(body));
}

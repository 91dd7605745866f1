import type { MiddlewareObj } from "@middy/core";
import jsonBodyParser from "@middy/http-json-body-parser";
import type { ApiEvent, ApiReply, ApiStack } from "./api.ts";
import { bodyError } from "./body-error.ts";
import { jsonRequest } from "./json-request.ts";

/** Has a function get its body parsed; what is no JSON is refused in the service's own terms. */
export function jsonBody(stack: ApiStack): void {
  stack
    .use(jsonRequest)
    .use(jsonBodyParser({ disableContentTypeCheck: true }))
    .use(bodyErrors);
}

const bodyErrors: MiddlewareObj<ApiEvent, ApiReply> = {
  onError(request) {
    request.error = bodyError(request.error);
  },
};

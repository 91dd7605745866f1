import type { Placement } from "./clients.ts";
import type { Facts, Hash } from "./database.ts";
import type { Evidence } from "./invariants.ts";
import type { RefundRequest } from "./refunds.ts";

export const COMPLETED = "01M83J45X21HMW7YDXFK700VAH";
export const REFUNDED = "01M83J45X21HMW7YDXFK700VAJ";
const CREATED_AT = "2026-11-23T06:40:04.514Z";
const COMPLETED_AT = "2026-11-23T06:40:10.087Z";
const REFUNDED_AT = "2026-11-23T06:40:12.000Z";

export const completed = { pk: COMPLETED, product_id: "chaos-1", quantity: "2", created_at: CREATED_AT };
export const announced = { ...completed, status: "completed", completed_at: COMPLETED_AT };
export const refunded = {
  pk: REFUNDED,
  product_id: "chaos-2",
  quantity: "3",
  status: "refunded",
  created_at: CREATED_AT,
  refunded_at: REFUNDED_AT,
};

export const told = {
  pk: COMPLETED,
  product_id: "chaos-1",
  quantity: 2,
  status: "pending",
  created_at: CREATED_AT,
} as const;
export const placement: Placement = {
  order: 1,
  behaviour: "retry",
  key: "a-key-of-16-chars",
  replies: [told],
  lostReplies: [],
  wrongReplies: [],
};

export const valid: RefundRequest = {
  ref: "request-1",
  fields: ["pk", REFUNDED, "ref", "request-1"],
  expected: { pk: REFUNDED, order: 2 },
  mayBeLost: false,
};
export const invalid: RefundRequest = {
  ref: "request-2",
  fields: ["note", "no pk", "ref", "request-2"],
  expected: { reason: "missing_pk" },
  mayBeLost: false,
};
export const letter = [
  "dead_reason",
  "missing_pk",
  "dead_id",
  "1-0",
  "dead_at",
  REFUNDED_AT,
  "note",
  "no pk",
  "ref",
  "request-2",
];

export const bytes = (fields: readonly string[]): Buffer[] => fields.map((field) => Buffer.from(field));
export const orders = (...hashes: Hash[]) => new Map(hashes.map((hash) => [hash.pk ?? "", hash]));

/** The end of a run in which all went well, but for what is given. */
export function evidence(given: Partial<Facts> & Partial<Omit<Evidence, "facts">> = {}): Evidence {
  const { placements = [placement], metrics = new Map(), seen = [], prices, ...facts } = given;
  const requests = given.requests ?? new Map([valid, invalid].map((request) => [request.ref, request]));
  const sound: Facts = {
    orders: orders(announced, refunded),
    announcements: [{ atMs: 0, fields: announced }],
    deadLetters: [bytes(letter)],
    pendingPks: [],
    requestsLeft: 0,
    pendingEntriesLeft: 0,
  };
  return { facts: { ...sound, ...facts }, placements, requests, seen, metrics, prices };
}

export const announcement = (change: Hash) => ({ atMs: 0, fields: { ...announced, ...change } });
export const twin = { ...announced, pk: "01M83J45X21HMW7YDXFK700VAK" };
